run "refuses_an_unknown_environment" {
  command = plan

  variables {
    environment = "lab"
  }

  expect_failures = [var.environment]
}

run "warns_of_production" {
  variables {
    environment = "prod"
  }

  expect_failures = [check.not_production]
}

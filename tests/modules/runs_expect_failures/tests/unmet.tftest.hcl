run "expects_a_failure_that_does_not_come" {
  command = plan

  expect_failures = [var.environment]
}

run "passes_after_it" {
}

run "names_follow_the_convention" {
  command = plan

  assert {
    condition     = output.names.resource_group == "rg-shop-dev-weu-001"
    error_message = "The resource group is ${output.names.resource_group}."
  }

  assert {
    condition     = output.names.storage_account == "stshopdevweu001"
    error_message = "The storage account is ${output.names.storage_account}."
  }
}

run "names_follow_the_variables" {
  variables {
    workload    = "billing"
    environment = "prod"
    region      = "swedencentral"
    instance    = 12
  }

  assert {
    condition     = output.resource_group.name == "rg-billing-prod-sdc-012"
    error_message = "The resource group is ${output.resource_group.name}."
  }
}

run "refuses_what_breaks_the_convention" {
  command = plan

  variables {
    workload    = "Web-Shop"
    environment = "production"
    region      = "mars"
    cost_center = "1000"
  }

  expect_failures = [
    var.workload,
    var.environment,
    var.region,
    var.cost_center,
  ]
}

run "refuses_names_that_are_too_long" {
  command = plan

  variables {
    workload    = "marketplaces"
    environment = "test"
  }

  expect_failures = [terraform_data.resource_group]
}

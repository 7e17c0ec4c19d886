run "plans" {
  command = plan

  assert {
    condition     = terraform_data.this.input == "rg-lab"
    error_message = "The planned name is wrong."
  }
}

run "applies" {
  assert {
    condition     = output.name == "rg-lab"
    error_message = "The name is wrong."
  }
}

run "applies_with_variables" {
  variables {
    name = "prod"
  }

  assert {
    condition     = output.name == "rg-prod"
    error_message = "The name does not follow the variable."
  }
}

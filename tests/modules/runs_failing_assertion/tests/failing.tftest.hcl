run "passes_first" {
  assert {
    condition     = output.name == "rg-lab"
    error_message = "The name is wrong."
  }
}

run "fails" {
  variables {
    name = "prod"
  }

  assert {
    condition     = startswith(output.name, "rg-")
    error_message = "The prefix is wrong."
  }

  assert {
    condition     = output.name == "rg-lab"
    error_message = "Expected rg-lab, got ${output.name}."
  }
}

run "passes_after_the_failure" {
  command = plan

  assert {
    condition     = terraform_data.this.input == "rg-lab"
    error_message = "The planned name is wrong."
  }
}

override_resource {
  target = terraform_data.slow
  values = {
    output = "from the file"
  }
}

run "uses_the_files_override" {
  assert {
    condition     = output.value == "from the file"
    error_message = "The file's override is not in place."
  }
}

run "uses_its_own_override" {
  command = plan

  override_resource {
    target = terraform_data.slow
    values = {
      output = "from the run"
    }
  }
}

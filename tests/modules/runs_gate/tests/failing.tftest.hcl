run "fails" {
  assert {
    condition     = terraform_data.kept.input == "somewhere else"
    error_message = "It is here."
  }
}

run "waits" {
  variables {
    waits = true
  }
}

run "last" {
}

run "setup" {
}

run "check" {
  assert {
    condition     = output.name == "lab"
    error_message = "The name is wrong in a."
  }
}

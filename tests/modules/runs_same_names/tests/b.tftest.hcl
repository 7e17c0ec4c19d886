run "setup" {
}

run "check" {
  assert {
    condition     = output.name == "prod"
    error_message = "The name is wrong in b."
  }
}

test {
  parallel = true
}

run "one" {
  state_key = "one"

  variables {
    name = "one"
  }

  assert {
    condition     = output.name == "one"
    error_message = "The name is wrong."
  }
}

run "two" {
  state_key = "two"

  variables {
    name = "two"
  }

  assert {
    condition     = output.name == "one"
    error_message = "This run fails beside the others."
  }
}

run "three" {
  state_key = "three"
  parallel  = false

  variables {
    name = "${run.one.name}-three"
  }

  assert {
    condition     = output.name == "one-three"
    error_message = "The name is wrong."
  }
}

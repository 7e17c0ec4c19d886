variables {
  seed = "file"
}

run "setup" {
  module {
    source = "./tests/setup"
  }
}

run "setup_with_variables" {
  module {
    source = "./tests/setup"
  }

  variables {
    seed = "run"
  }

  assert {
    condition     = output.prefix == "t-run"
    error_message = "The run's own variable must win."
  }
}

run "uses_the_outputs" {
  variables {
    prefix = run.setup_with_variables.prefix
  }

  assert {
    condition     = output.name == "t-run-network"
    error_message = "The name must come from the setup."
  }
}

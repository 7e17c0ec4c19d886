run "passes" {
  assert {
    condition     = terraform_data.this.output == 1
    error_message = "The size is wrong."
  }
}

run "errs" {
  variables {
    size = 10
  }
}

run "is_skipped" {
  command = plan
}

run "is_skipped_too" {
}

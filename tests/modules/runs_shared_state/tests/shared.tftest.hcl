run "first" {
}

run "keeps_what_is_unchanged" {
  assert {
    condition     = output.stable_id == run.first.stable_id && output.release_id == run.first.release_id
    error_message = "The state of the first run was not used."
  }
}

run "replaces_what_has_changed" {
  variables {
    release = 2
  }

  assert {
    condition     = output.stable_id == run.first.stable_id
    error_message = "The stable resource was replaced."
  }

  assert {
    condition     = output.release_id != run.first.release_id
    error_message = "The release was not replaced."
  }
}

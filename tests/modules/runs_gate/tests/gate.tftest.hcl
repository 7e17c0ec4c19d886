run "first" {
}

run "waits" {
  variables {
    waits = true
  }
}

run "last" {
}

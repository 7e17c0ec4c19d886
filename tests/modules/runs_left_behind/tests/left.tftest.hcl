run "applies" {
}

run "plans" {
  command = plan
}

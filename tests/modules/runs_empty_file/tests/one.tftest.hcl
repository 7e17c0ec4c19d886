run "passes" {
}

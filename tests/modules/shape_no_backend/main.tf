# No terraform block at all, and so no backend.

resource "terraform_data" "only" {
  input = "one"
}

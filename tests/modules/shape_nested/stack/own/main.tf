resource "terraform_data" "own" {
  input = "own"
}

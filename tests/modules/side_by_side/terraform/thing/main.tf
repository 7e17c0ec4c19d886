module "own" {
  source = "./own"
}
resource "terraform_data" "thing" {
  input = "one"
}
output "said" {
  value = terraform_data.thing.output
}

resource "terraform_data" "this" {
  input = "lab"
}

output "name" {
  value = terraform_data.this.output
}

resource "terraform_data" "this" {
  input = "real"
}

output "id" {
  value = terraform_data.this.id
}

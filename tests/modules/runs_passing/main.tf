variable "name" {
  type    = string
  default = "lab"
}

resource "terraform_data" "this" {
  input = "rg-${var.name}"
}

output "name" {
  value = terraform_data.this.output
}

variable "number" {
  type    = number
  default = 0
}

resource "terraform_data" "this" {
  input = var.number
}

output "number" {
  value = terraform_data.this.output
}

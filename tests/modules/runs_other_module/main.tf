variable "prefix" {
  type = string
}

resource "terraform_data" "this" {
  input = "${var.prefix}-network"
}

output "name" {
  value = terraform_data.this.output
}

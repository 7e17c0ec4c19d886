variable "seed" {
  type    = string
  default = "none"
}

resource "terraform_data" "prefix" {
  input = "t-${var.seed}"
}

output "prefix" {
  value = terraform_data.prefix.output
}

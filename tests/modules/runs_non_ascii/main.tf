variable "größe" {
  type    = string
  default = "groß 🚀"
}

resource "terraform_data" "daten" {
  input = var.größe
}

output "größe" {
  value = terraform_data.daten.output
}

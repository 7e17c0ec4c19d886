terraform {
  backend "azurerm" {}
}

resource "terraform_data" "name" {
  input = "of ${terraform.workspace}"
}

output "name" {
  value = terraform_data.name.output
}

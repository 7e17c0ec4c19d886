terraform {
  backend "azurerm" {}
}

resource "terraform_data" "name" {
  input = terraform.workspace
}

output "workspace" {
  value = terraform_data.name.output
}

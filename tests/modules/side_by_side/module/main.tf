terraform {
  backend "azurerm" {}
}

resource "terraform_data" "first" {
  input = "one"
}

terraform {
  backend "azurerm" {}
}

module "shared" {
  source = "../shared"
}

module "own" {
  source = "./own"
}

output "shared" {
  value = module.shared.text
}

output "settings" {
  value = jsondecode(file("${path.module}/../settings/settings.json")).name
}

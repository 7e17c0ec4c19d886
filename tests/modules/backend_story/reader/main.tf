terraform {
  backend "azurerm" {
    key = "reader.tfstate"
  }
}

data "terraform_remote_state" "writer" {
  backend   = "azurerm"
  workspace = "blue"

  config = {
    storage_account_name = "tfoidcstandin"
    container_name       = "tfstate"
    key                  = "terraform.tfstate"
    use_azuread_auth     = true
  }
}

output "read" {
  value = data.terraform_remote_state.writer.outputs.name
}

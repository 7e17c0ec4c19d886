terraform {
  required_providers {
    azapi = {
      source = "azure/azapi"
    }
  }
}

variable "owner" {
  type    = string
  default = "first"
}

resource "azapi_resource" "group" {
  type     = "Microsoft.Resources/resourceGroups@2024-03-01"
  name     = "rg-azapi"
  location = "westeurope"

  body = {
    tags = {
      owner = var.owner
    }
  }
}

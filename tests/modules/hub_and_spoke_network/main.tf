# The neighbouring stack: the hub, in a subscription and a tenant of its own.

terraform {
  required_providers {
    mockcloud = {
      source = "tfoidc/mockcloud"
    }
  }
  backend "azurerm" {
    storage_account_name = "stnetworkstate"
    container_name       = "tfstate"
    key                  = "network.tfstate"
    use_azuread_auth     = true
  }
}

provider "mockcloud" {
  subscription_id = "c0000000-0000-4000-8000-000000000001"
  tenant_id       = "a0000000-0000-4000-8000-000000000001"
}

resource "mockcloud_group" "hub" {
  name           = "rg-hub"
  location       = "westeurope"
  retention_days = 30
}

resource "mockcloud_network" "hub" {
  name     = "vnet-hub"
  group    = mockcloud_group.hub.name
  location = mockcloud_group.hub.location
}

output "network_id" {
  value = mockcloud_network.hub.id
}

# The same names on real resources: a resource group and a virtual network. It needs the azurerm
# provider, so a registry or a mirror, and a context in which that can sign in with OIDC.

terraform {
  required_version = ">= 1.6"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.0, < 6.0"
    }
  }

  backend "azurerm" {}
}

provider "azurerm" {
  features {}

  # The rest comes from ARM_* variables. A token that stood here would be stale after a few minutes.
  use_oidc                        = true
  resource_provider_registrations = "none"
}

variable "workload" {
  description = "Short name of the workload."
  type        = string
  default     = "shop"
}

variable "region" {
  description = "Azure region."
  type        = string
  default     = "westeurope"
}

resource "azurerm_resource_group" "this" {
  name     = "rg-${var.workload}"
  location = var.region

  tags = {
    workload   = var.workload
    managed_by = "terraform"
  }
}

resource "azurerm_virtual_network" "this" {
  name                = "vnet-${var.workload}"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  address_space       = ["10.20.0.0/16"]
  tags                = azurerm_resource_group.this.tags
}

output "resource_group_id" {
  description = "Id of the resource group."
  value       = azurerm_resource_group.this.id
}

output "virtual_network_id" {
  description = "Id of the virtual network."
  value       = azurerm_virtual_network.this.id
}

terraform {
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.0"
    }
  }

  backend "azurerm" {}
}

provider "azurerm" {
  features {}
  use_oidc                        = true
  resource_provider_registrations = "none"
}

variable "owner" {
  type    = string
  default = "first"
}

locals {
  location = azurerm_resource_group.this.location
  group    = azurerm_resource_group.this.name
}

resource "azurerm_resource_group" "this" {
  name     = "rg-real"
  location = "westeurope"

  tags = {
    owner = var.owner
  }
}

resource "azurerm_management_lock" "this" {
  name       = "lock"
  scope      = azurerm_public_ip.this.id
  lock_level = "CanNotDelete"
}

resource "azurerm_virtual_network" "this" {
  name                = "vnet"
  location            = local.location
  resource_group_name = local.group
  address_space       = ["10.0.0.0/16"]
}

resource "azurerm_subnet" "this" {
  name                 = "subnet"
  resource_group_name  = local.group
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = ["10.0.1.0/24"]
}

resource "azurerm_network_security_group" "this" {
  name                = "nsg"
  location            = local.location
  resource_group_name = local.group
}

resource "azurerm_network_security_rule" "this" {
  name                        = "https"
  resource_group_name         = local.group
  network_security_group_name = azurerm_network_security_group.this.name
  priority                    = 100
  direction                   = "Inbound"
  access                      = "Allow"
  protocol                    = "Tcp"
  source_port_range           = "*"
  destination_port_range      = "443"
  source_address_prefix       = "*"
  destination_address_prefix  = "*"
}

resource "azurerm_route_table" "this" {
  name                = "routes"
  location            = local.location
  resource_group_name = local.group
}

resource "azurerm_route" "this" {
  name                = "internet"
  resource_group_name = local.group
  route_table_name    = azurerm_route_table.this.name
  address_prefix      = "0.0.0.0/0"
  next_hop_type       = "Internet"
}

resource "azurerm_public_ip" "this" {
  name                = "ip"
  location            = local.location
  resource_group_name = local.group
  allocation_method   = "Static"
}

resource "azurerm_network_interface" "this" {
  name                = "nic"
  location            = local.location
  resource_group_name = local.group

  ip_configuration {
    name                          = "internal"
    subnet_id                     = azurerm_subnet.this.id
    private_ip_address_allocation = "Dynamic"
  }
}

resource "azurerm_user_assigned_identity" "this" {
  name                = "identity"
  location            = local.location
  resource_group_name = local.group
}

resource "azurerm_role_assignment" "this" {
  scope                = azurerm_resource_group.this.id
  role_definition_name = "Reader"
  principal_id         = azurerm_user_assigned_identity.this.principal_id
}

resource "azurerm_private_dns_zone" "this" {
  name                = "example.internal"
  resource_group_name = local.group
}

resource "azurerm_dns_zone" "this" {
  name                = "example.com"
  resource_group_name = local.group
}

resource "azurerm_availability_set" "this" {
  name                = "set"
  location            = local.location
  resource_group_name = local.group
}

resource "azurerm_managed_disk" "this" {
  name                 = "disk"
  location             = local.location
  resource_group_name  = local.group
  storage_account_type = "Standard_LRS"
  create_option        = "Empty"
  disk_size_gb         = 4
}

resource "azurerm_service_plan" "this" {
  name                = "plan"
  location            = local.location
  resource_group_name = local.group
  os_type             = "Linux"
  sku_name            = "B1"
}

resource "azurerm_log_analytics_workspace" "this" {
  name                = "logs"
  location            = local.location
  resource_group_name = local.group
}

resource "azurerm_application_insights" "this" {
  name                = "insights"
  location            = local.location
  resource_group_name = local.group
  application_type    = "web"
  workspace_id        = azurerm_log_analytics_workspace.this.id
}

resource "azurerm_storage_account" "this" {
  name                     = "realstorageaccount"
  location                 = local.location
  resource_group_name      = local.group
  account_tier             = "Standard"
  account_replication_type = "LRS"
}

resource "azurerm_container_registry" "this" {
  name                = "realregistry"
  location            = local.location
  resource_group_name = local.group
  sku                 = "Basic"
}

resource "azurerm_servicebus_namespace" "this" {
  name                = "real-bus"
  location            = local.location
  resource_group_name = local.group
  sku                 = "Standard"
}

resource "azurerm_storage_container" "this" {
  name               = "data"
  storage_account_id = azurerm_storage_account.this.id
}

resource "azurerm_subnet_network_security_group_association" "this" {
  subnet_id                 = azurerm_subnet.this.id
  network_security_group_id = azurerm_network_security_group.this.id
}

resource "azurerm_resource_group_policy_assignment" "this" {
  name                 = "policy"
  resource_group_id    = azurerm_resource_group.this.id
  policy_definition_id = "/providers/Microsoft.Authorization/policyDefinitions/e56962a6-4747-49cd-b67b-bf8b01975c4c"
}

resource "azurerm_monitor_action_group" "this" {
  name                = "actions"
  resource_group_name = local.group
  short_name          = "actions"
}

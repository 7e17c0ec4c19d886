# A platform as teams have it: what azurerm 4 and 5 spell the same, and make in short time. The rest is in azurerm5.tf.
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
  use_oidc                        = true
  resource_provider_registrations = "none"

  features {}
}

variable "owner" {
  type    = string
  default = "first"
}

locals {
  location = azurerm_resource_group.this.location
  group    = azurerm_resource_group.this.name
  tags     = { owner = var.owner }
  vault    = "kv-platform-tfoidc"
}

resource "azurerm_resource_group" "this" {
  name     = "rg-platform"
  location = "westeurope"
  tags     = local.tags
}

# Hub and spoke

resource "azurerm_virtual_network" "hub" {
  name                = "hub"
  location            = local.location
  resource_group_name = local.group
  address_space       = ["10.0.0.0/16"]
  tags                = local.tags
}

resource "azurerm_virtual_network" "spoke" {
  name                = "spoke"
  location            = local.location
  resource_group_name = local.group
  address_space       = ["10.1.0.0/16"]
  dns_servers         = [azurerm_firewall.hub.ip_configuration[0].private_ip_address]
}

resource "azurerm_virtual_network_peering" "to_spoke" {
  name                      = "to-spoke"
  resource_group_name       = local.group
  virtual_network_name      = azurerm_virtual_network.hub.name
  remote_virtual_network_id = azurerm_virtual_network.spoke.id
  allow_gateway_transit     = true
}

resource "azurerm_virtual_network_peering" "to_hub" {
  name                      = "to-hub"
  resource_group_name       = local.group
  virtual_network_name      = azurerm_virtual_network.spoke.name
  remote_virtual_network_id = azurerm_virtual_network.hub.id
  allow_forwarded_traffic   = true
}

resource "azurerm_subnet" "firewall" {
  name                 = "AzureFirewallSubnet"
  resource_group_name  = local.group
  virtual_network_name = azurerm_virtual_network.hub.name
  address_prefixes     = ["10.0.1.0/26"]
}

resource "azurerm_public_ip" "firewall" {
  name                = "firewall"
  location            = local.location
  resource_group_name = local.group
  allocation_method   = "Static"
  sku                 = "Standard"
  zones               = ["1", "2", "3"]
}

resource "azurerm_firewall_policy" "hub" {
  name                = "hub"
  location            = local.location
  resource_group_name = local.group
}

resource "azurerm_firewall_policy_rule_collection_group" "hub" {
  name               = "rules"
  firewall_policy_id = azurerm_firewall_policy.hub.id
  priority           = 500

  network_rule_collection {
    name     = "dns"
    priority = 400
    action   = "Allow"

    rule {
      name                  = "dns"
      protocols             = ["UDP"]
      source_addresses      = azurerm_virtual_network.spoke.address_space
      destination_addresses = ["*"]
      destination_ports     = ["53"]
    }
  }
}

resource "azurerm_firewall" "hub" {
  name                = "hub"
  location            = local.location
  resource_group_name = local.group
  sku_name            = "AZFW_VNet"
  sku_tier            = "Standard"
  firewall_policy_id  = azurerm_firewall_policy.hub.id

  ip_configuration {
    name                 = "public"
    subnet_id            = azurerm_subnet.firewall.id
    public_ip_address_id = azurerm_public_ip.firewall.id
  }
}

resource "azurerm_subnet" "workload" {
  name                 = "workload"
  resource_group_name  = local.group
  virtual_network_name = azurerm_virtual_network.spoke.name
  address_prefixes     = ["10.1.1.0/24"]
}

resource "azurerm_subnet" "database" {
  name                 = "database"
  resource_group_name  = local.group
  virtual_network_name = azurerm_virtual_network.spoke.name
  address_prefixes     = ["10.1.2.0/24"]

  delegation {
    name = "postgresql"

    service_delegation {
      name    = "Microsoft.DBforPostgreSQL/flexibleServers"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

resource "azurerm_network_security_group" "workload" {
  name                = "workload"
  location            = local.location
  resource_group_name = local.group

  security_rule {
    name                       = "https"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_port_range          = "*"
    destination_port_range     = "443"
    source_address_prefix      = "AzureFrontDoor.Backend"
    destination_address_prefix = "*"
  }
}

resource "azurerm_subnet_network_security_group_association" "workload" {
  subnet_id                 = azurerm_subnet.workload.id
  network_security_group_id = azurerm_network_security_group.workload.id
}

resource "azurerm_route_table" "workload" {
  name                = "workload"
  location            = local.location
  resource_group_name = local.group

  route {
    name                   = "all"
    address_prefix         = "0.0.0.0/0"
    next_hop_type          = "VirtualAppliance"
    next_hop_in_ip_address = azurerm_firewall.hub.ip_configuration[0].private_ip_address
  }
}

resource "azurerm_subnet_route_table_association" "workload" {
  subnet_id      = azurerm_subnet.workload.id
  route_table_id = azurerm_route_table.workload.id
}

# An app that reads secrets

resource "azurerm_user_assigned_identity" "app" {
  name                = "app"
  location            = local.location
  resource_group_name = local.group
}

resource "azurerm_service_plan" "this" {
  name                = "plan"
  location            = local.location
  resource_group_name = local.group
  os_type             = "Linux"
  sku_name            = "P1v3"
}

resource "azurerm_linux_web_app" "this" {
  name                            = "app-platform-tfoidc"
  location                        = local.location
  resource_group_name             = local.group
  service_plan_id                 = azurerm_service_plan.this.id
  https_only                      = true
  key_vault_reference_identity_id = azurerm_user_assigned_identity.app.id

  site_config {
    always_on = true

    application_stack {
      python_version = "3.12"
    }
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.app.id]
  }

  app_settings = {
    APPLICATIONINSIGHTS_CONNECTION_STRING = azurerm_application_insights.this.connection_string
    DATABASE                              = "@Microsoft.KeyVault(SecretUri=https://${local.vault}.vault.azure.net/secrets/database/)"
    DB_PASSWORD                           = "@Microsoft.KeyVault(VaultName=${local.vault};SecretName=password)"
    QUEUE                                 = "orders"
  }
}

# Data

resource "azurerm_private_dns_zone" "database" {
  name                = "platform.postgres.database.azure.com"
  resource_group_name = local.group
}

resource "azurerm_postgresql_flexible_server" "this" {
  name                          = "psql-platform-tfoidc"
  location                      = local.location
  resource_group_name           = local.group
  version                       = "16"
  delegated_subnet_id           = azurerm_subnet.database.id
  private_dns_zone_id           = azurerm_private_dns_zone.database.id
  public_network_access_enabled = false
  administrator_login           = "platform"
  administrator_password        = "Not-a-secret-1"
  zone                          = "1"
  storage_mb                    = 32768
  sku_name                      = "GP_Standard_D2s_v3"
}

resource "azurerm_postgresql_flexible_server_database" "this" {
  name      = "orders"
  server_id = azurerm_postgresql_flexible_server.this.id
}

resource "azurerm_postgresql_flexible_server_configuration" "this" {
  for_each = {
    "azure.extensions"  = "PGCRYPTO,UUID-OSSP"
    log_connections     = "on"
    max_connections     = "200"
    "pgbouncer.enabled" = "true"
  }

  name      = each.key
  server_id = azurerm_postgresql_flexible_server.this.id
  value     = each.value
}

resource "azurerm_storage_account" "this" {
  name                            = "stplatformtfoidc"
  location                        = local.location
  resource_group_name             = local.group
  account_tier                    = "Standard"
  account_replication_type        = "ZRS"
  allow_nested_items_to_be_public = false # azurerm 5's default

  blob_properties {
    versioning_enabled = true

    delete_retention_policy {
      days = 7
    }
  }
}

resource "azurerm_storage_container" "this" {
  name               = "orders"
  storage_account_id = azurerm_storage_account.this.id
}

resource "azurerm_storage_management_policy" "this" {
  storage_account_id = azurerm_storage_account.this.id

  rule {
    name    = "old"
    enabled = true

    filters {
      blob_types   = ["blockBlob"]
      prefix_match = ["orders/"]
    }

    actions {
      base_blob {
        delete_after_days_since_modification_greater_than = 90
      }
    }
  }
}

# Messages

resource "azurerm_servicebus_namespace" "this" {
  name                = "sb-platform-tfoidc"
  location            = local.location
  resource_group_name = local.group
  sku                 = "Standard"
}

resource "azurerm_servicebus_topic" "this" {
  name         = "events"
  namespace_id = azurerm_servicebus_namespace.this.id
}

resource "azurerm_servicebus_subscription" "this" {
  name               = "billing"
  topic_id           = azurerm_servicebus_topic.this.id
  max_delivery_count = 5
}

resource "azurerm_servicebus_subscription_rule" "this" {
  name            = "paid"
  subscription_id = azurerm_servicebus_subscription.this.id
  filter_type     = "SqlFilter"
  sql_filter      = "state = 'paid'"
}

# The way in

resource "azurerm_cdn_frontdoor_profile" "this" {
  name                = "door"
  resource_group_name = local.group
  sku_name            = "Standard_AzureFrontDoor"
}

resource "azurerm_cdn_frontdoor_endpoint" "this" {
  name                     = "door-platform-tfoidc"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id
}

resource "azurerm_cdn_frontdoor_origin_group" "this" {
  name                     = "app"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id

  load_balancing {}

  health_probe {
    protocol            = "Https"
    interval_in_seconds = 100
    path                = "/health"
    request_type        = "HEAD"
  }
}

resource "azurerm_cdn_frontdoor_origin" "this" {
  name                           = "app"
  cdn_frontdoor_origin_group_id  = azurerm_cdn_frontdoor_origin_group.this.id
  enabled                        = true
  certificate_name_check_enabled = true
  host_name                      = azurerm_linux_web_app.this.default_hostname
  origin_host_header             = azurerm_linux_web_app.this.default_hostname
}

resource "azurerm_cdn_frontdoor_route" "this" {
  name                          = "all"
  cdn_frontdoor_endpoint_id     = azurerm_cdn_frontdoor_endpoint.this.id
  cdn_frontdoor_origin_group_id = azurerm_cdn_frontdoor_origin_group.this.id
  cdn_frontdoor_origin_ids      = [azurerm_cdn_frontdoor_origin.this.id]
  patterns_to_match             = ["/*"]
  supported_protocols           = ["Http", "Https"]
  forwarding_protocol           = "HttpsOnly"
  https_redirect_enabled        = true
}

# Alerts and diagnostics

resource "azurerm_log_analytics_workspace" "this" {
  name                = "log-platform"
  location            = local.location
  resource_group_name = local.group
  sku                 = "PerGB2018"
  retention_in_days   = 30
}

resource "azurerm_application_insights" "this" {
  name                = "appi-platform"
  location            = local.location
  resource_group_name = local.group
  workspace_id        = azurerm_log_analytics_workspace.this.id
  application_type    = "web"
}

data "azurerm_monitor_diagnostic_categories" "bus" {
  resource_id = azurerm_servicebus_namespace.this.id
}

resource "azurerm_monitor_diagnostic_setting" "bus" {
  name                       = "all"
  target_resource_id         = azurerm_servicebus_namespace.this.id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id

  dynamic "enabled_log" {
    for_each = data.azurerm_monitor_diagnostic_categories.bus.log_category_types

    content {
      category = enabled_log.value
    }
  }
}

resource "azurerm_monitor_action_group" "this" {
  name                = "on-call"
  resource_group_name = local.group
  short_name          = "on-call"

  email_receiver {
    name          = "team"
    email_address = "team@example.org"
  }
}

resource "azurerm_monitor_activity_log_alert" "this" {
  name                = "deleted"
  location            = "global"
  resource_group_name = local.group
  scopes              = [azurerm_resource_group.this.id]

  criteria {
    category       = "Administrative"
    operation_name = "Microsoft.KeyVault/vaults/delete"
  }

  action {
    action_group_id = azurerm_monitor_action_group.this.id
  }
}

# Who may

resource "azurerm_role_assignment" "app" {
  for_each = {
    "Storage Blob Data Contributor"   = azurerm_storage_account.this.id
    "Azure Service Bus Data Receiver" = azurerm_servicebus_topic.this.id
    "Reader"                          = azurerm_resource_group.this.id
  }

  scope                = each.value
  role_definition_name = each.key
  principal_id         = azurerm_user_assigned_identity.app.principal_id
}

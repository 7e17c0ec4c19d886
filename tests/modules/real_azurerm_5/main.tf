terraform {
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 5.0"
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
  type        = string
  default     = "first"
  description = "A tag, so that a change can be planned."
}

locals {
  location = azurerm_resource_group.this.location
  group    = azurerm_resource_group.this.name
}

resource "azurerm_resource_group" "this" {
  name     = "rg-real-5"
  location = "westeurope"
  tags     = { owner = var.owner }
}

resource "azurerm_virtual_network" "this" {
  name                = "vnet"
  location            = local.location
  resource_group_name = local.group
  address_space       = ["10.0.0.0/16"]
}

resource "azurerm_virtual_network" "other" {
  name                = "vnet2"
  location            = local.location
  resource_group_name = local.group
  address_space       = ["10.1.0.0/16"]
}

resource "azurerm_subnet" "this" {
  for_each             = { GatewaySubnet = 1, AzureBastionSubnet = 2, AzureFirewallSubnet = 3, a = 4, gateway = 5 }
  name                 = each.key
  resource_group_name  = local.group
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = ["10.0.${each.value}.0/24"]
}

resource "azurerm_public_ip" "this" {
  for_each            = toset(["lb", "vpn", "bastion", "firewall", "nat", "gateway"])
  name                = each.key
  location            = local.location
  resource_group_name = local.group
  allocation_method   = "Static"
  tags                = { owner = var.owner }
}

resource "azurerm_virtual_network_peering" "this" {
  name                      = "peer"
  resource_group_name       = local.group
  virtual_network_name      = azurerm_virtual_network.this.name
  remote_virtual_network_id = azurerm_virtual_network.other.id
}

resource "azurerm_nat_gateway" "this" {
  name                = "nat"
  location            = local.location
  resource_group_name = local.group
  tags                = { owner = var.owner }
}

resource "azurerm_nat_gateway_public_ip_association" "this" {
  nat_gateway_id       = azurerm_nat_gateway.this.id
  public_ip_address_id = azurerm_public_ip.this["nat"].id
}

resource "azurerm_subnet_nat_gateway_association" "this" {
  nat_gateway_id = azurerm_nat_gateway.this.id
  subnet_id      = azurerm_subnet.this["a"].id
}

resource "azurerm_route_table" "this" {
  name                = "routes"
  location            = local.location
  resource_group_name = local.group
}

resource "azurerm_subnet_route_table_association" "this" {
  route_table_id = azurerm_route_table.this.id
  subnet_id      = azurerm_subnet.this["a"].id
}

resource "azurerm_lb" "this" {
  name                = "lb"
  location            = local.location
  resource_group_name = local.group
  tags                = { owner = var.owner }

  frontend_ip_configuration {
    name                 = "front"
    public_ip_address_id = azurerm_public_ip.this["lb"].id
  }
}

resource "azurerm_lb_backend_address_pool" "this" {
  name            = "pool"
  loadbalancer_id = azurerm_lb.this.id
}

resource "azurerm_lb_probe" "this" {
  name            = "probe"
  loadbalancer_id = azurerm_lb.this.id
  port            = 80
}

resource "azurerm_lb_rule" "this" {
  name                           = "rule"
  loadbalancer_id                = azurerm_lb.this.id
  frontend_ip_configuration_name = "front"
  protocol                       = "Tcp"
  frontend_port                  = 80
  backend_port                   = 80
  backend_address_pool_ids       = [azurerm_lb_backend_address_pool.this.id]
  probe_id                       = azurerm_lb_probe.this.id
  disable_outbound_snat          = true
}

resource "azurerm_lb_nat_rule" "this" {
  name                           = "nat"
  resource_group_name            = local.group
  loadbalancer_id                = azurerm_lb.this.id
  frontend_ip_configuration_name = "front"
  protocol                       = "Tcp"
  frontend_port                  = 22
  backend_port                   = 22
}

resource "azurerm_lb_outbound_rule" "this" {
  name                    = "out"
  loadbalancer_id         = azurerm_lb.this.id
  protocol                = "All"
  backend_address_pool_id = azurerm_lb_backend_address_pool.this.id

  frontend_ip_configuration {
    name = "front"
  }
}

resource "azurerm_network_security_group" "this" {
  name                = "nsg"
  location            = local.location
  resource_group_name = local.group
}

resource "azurerm_application_security_group" "this" {
  name                = "asg"
  location            = local.location
  resource_group_name = local.group
  tags                = { owner = var.owner }
}

resource "azurerm_network_interface" "this" {
  name                = "nic"
  location            = local.location
  resource_group_name = local.group

  ip_configuration {
    name                          = "internal"
    subnet_id                     = azurerm_subnet.this["a"].id
    private_ip_address_allocation = "Dynamic"
  }
}

resource "azurerm_network_interface_security_group_association" "this" {
  network_interface_id      = azurerm_network_interface.this.id
  network_security_group_id = azurerm_network_security_group.this.id
}

resource "azurerm_network_interface_application_security_group_association" "this" {
  network_interface_id          = azurerm_network_interface.this.id
  application_security_group_id = azurerm_application_security_group.this.id
  depends_on                    = [azurerm_network_interface_security_group_association.this]
}

resource "azurerm_network_interface_backend_address_pool_association" "this" {
  network_interface_id    = azurerm_network_interface.this.id
  ip_configuration_name   = "internal"
  backend_address_pool_id = azurerm_lb_backend_address_pool.this.id
  depends_on              = [azurerm_network_interface_application_security_group_association.this]
}

resource "azurerm_network_watcher" "this" {
  name                = "watcher"
  location            = local.location
  resource_group_name = local.group
}

resource "azurerm_virtual_network_gateway" "this" {
  name                = "vpn"
  location            = local.location
  resource_group_name = local.group
  type                = "Vpn"
  sku                 = "VpnGw1AZ"
  tags                = { owner = var.owner }

  ip_configuration {
    public_ip_address_id = azurerm_public_ip.this["vpn"].id
    subnet_id            = azurerm_subnet.this["GatewaySubnet"].id
  }
}

resource "azurerm_local_network_gateway" "this" {
  name                = "local"
  location            = local.location
  resource_group_name = local.group
  gateway_address     = "12.13.14.15"
  address_space       = ["10.9.0.0/16"]
}

resource "azurerm_private_dns_zone" "this" {
  name                = "real.internal"
  resource_group_name = local.group
  tags                = { owner = var.owner }
}

resource "azurerm_private_dns_a_record" "this" {
  name                = "a"
  private_dns_zone_id = azurerm_private_dns_zone.this.id
  ttl                 = 300
  records             = ["10.0.0.4"]
}

resource "azurerm_private_dns_cname_record" "this" {
  name                = "c"
  private_dns_zone_id = azurerm_private_dns_zone.this.id
  ttl                 = 300
  record              = "a.real.internal"
}

resource "azurerm_dns_zone" "this" {
  name                = "real.example"
  resource_group_name = local.group
}

resource "azurerm_dns_a_record" "this" {
  name                = "a"
  resource_group_name = local.group
  zone_name           = azurerm_dns_zone.this.name
  ttl                 = 300
  records             = ["10.0.0.4"]
}

resource "azurerm_dns_cname_record" "this" {
  name                = "c"
  resource_group_name = local.group
  zone_name           = azurerm_dns_zone.this.name
  ttl                 = 300
  record              = "a.real.example"
}

resource "azurerm_bastion_host" "this" {
  name                = "bastion"
  location            = local.location
  resource_group_name = local.group
  tags                = { owner = var.owner }

  ip_configuration {
    name                 = "configuration"
    subnet_id            = azurerm_subnet.this["AzureBastionSubnet"].id
    public_ip_address_id = azurerm_public_ip.this["bastion"].id
  }
}

resource "azurerm_firewall_policy" "this" {
  name                = "policy"
  location            = local.location
  resource_group_name = local.group
  tags                = { owner = var.owner }
}

resource "azurerm_firewall_policy_rule_collection_group" "this" {
  name               = "rules"
  firewall_policy_id = azurerm_firewall_policy.this.id
  priority           = 500

  network_rule_collection {
    name     = "network"
    priority = 400
    action   = "Deny"

    rule {
      name                  = "rule"
      protocols             = ["TCP"]
      source_addresses      = ["10.0.0.1"]
      destination_addresses = ["192.168.1.1"]
      destination_ports     = ["80"]
    }
  }
}

resource "azurerm_firewall" "this" {
  name                = "firewall"
  location            = local.location
  resource_group_name = local.group
  sku_name            = "AZFW_VNet"
  sku_tier            = "Standard"
  firewall_policy_id  = azurerm_firewall_policy.this.id
  tags                = { owner = var.owner }

  ip_configuration {
    name                 = "configuration"
    subnet_id            = azurerm_subnet.this["AzureFirewallSubnet"].id
    public_ip_address_id = azurerm_public_ip.this["firewall"].id
  }
}

resource "azurerm_application_gateway" "this" {
  name                = "gateway"
  location            = local.location
  resource_group_name = local.group
  tags                = { owner = var.owner }

  sku {
    name     = "Standard_v2"
    tier     = "Standard_v2"
    capacity = 1
  }
  gateway_ip_configuration {
    name      = "gateway"
    subnet_id = azurerm_subnet.this["gateway"].id
  }
  frontend_port {
    name = "http"
    port = 80
  }
  frontend_ip_configuration {
    name                 = "front"
    public_ip_address_id = azurerm_public_ip.this["gateway"].id
  }
  backend_address_pool {
    name = "pool"
  }
  backend_http_settings {
    name                  = "settings"
    cookie_based_affinity = "Disabled"
    port                  = 80
    protocol              = "Http"
    request_timeout       = 60
  }
  http_listener {
    name                           = "listener"
    frontend_ip_configuration_name = "front"
    frontend_port_name             = "http"
    protocol                       = "Http"
  }
  request_routing_rule {
    name                       = "rule"
    priority                   = 9
    rule_type                  = "Basic"
    http_listener_name         = "listener"
    backend_address_pool_name  = "pool"
    backend_http_settings_name = "settings"
  }
}

resource "azurerm_public_ip_prefix" "this" {
  name                = "prefix"
  location            = local.location
  resource_group_name = local.group
}

resource "azurerm_ip_group" "this" {
  name                = "ips"
  location            = local.location
  resource_group_name = local.group
  cidrs               = ["10.5.0.0/16"]
}

resource "azurerm_storage_account" "this" {
  name                     = "real5storage"
  location                 = local.location
  resource_group_name      = local.group
  account_tier             = "Standard"
  account_replication_type = "LRS"
}

resource "azurerm_private_endpoint" "this" {
  name                = "endpoint"
  location            = local.location
  resource_group_name = local.group
  subnet_id           = azurerm_subnet.this["a"].id
  tags                = { owner = var.owner }

  private_service_connection {
    name                           = "connection"
    private_connection_resource_id = azurerm_storage_account.this.id
    is_manual_connection           = false
    subresource_names              = ["blob"]
  }
  private_dns_zone_group {
    name                 = "default"
    private_dns_zone_ids = [azurerm_private_dns_zone.this.id]
  }
}

resource "azurerm_network_interface" "machine" {
  name                = "machine"
  location            = local.location
  resource_group_name = local.group

  ip_configuration {
    name                          = "internal"
    subnet_id                     = azurerm_subnet.this["a"].id
    private_ip_address_allocation = "Dynamic"
  }
}

resource "azurerm_linux_virtual_machine" "this" {
  name                            = "machine"
  location                        = local.location
  resource_group_name             = local.group
  size                            = "Standard_B1s"
  admin_username                  = "someone"
  admin_password                  = "Not-a-real-1"
  disable_password_authentication = false
  network_interface_ids           = [azurerm_network_interface.machine.id]
  tags                            = { owner = var.owner }

  os_disk {
    caching              = "ReadWrite"
    storage_account_type = "Standard_LRS"
  }

  source_image_reference {
    publisher = "Canonical"
    offer     = "0001-com-ubuntu-server-jammy"
    sku       = "22_04-lts"
    version   = "latest"
  }
}

resource "azurerm_service_plan" "this" {
  name                = "plan"
  location            = local.location
  resource_group_name = local.group
  os_type             = "Linux"
  sku_name            = "S1"
}

resource "azurerm_linux_web_app" "this" {
  name                = "real-web"
  location            = local.location
  resource_group_name = local.group
  service_plan_id     = azurerm_service_plan.this.id
  app_settings        = { OWNER = var.owner }

  site_config {}
}

resource "azurerm_linux_web_app_slot" "this" {
  name           = "staging"
  app_service_id = azurerm_linux_web_app.this.id

  site_config {}
}

resource "azurerm_linux_function_app" "this" {
  name                       = "real-functions"
  location                   = local.location
  resource_group_name        = local.group
  service_plan_id            = azurerm_service_plan.this.id
  storage_account_name       = azurerm_storage_account.this.name
  storage_account_access_key = azurerm_storage_account.this.primary_access_key
  app_settings               = { OWNER = var.owner }

  site_config {}
}

resource "azurerm_mssql_server" "this" {
  name                         = "real-sql"
  location                     = local.location
  resource_group_name          = local.group
  version                      = "12.0"
  administrator_login          = "someone"
  administrator_login_password = "Not-a-real-1"
}

resource "azurerm_redis_cache" "this" {
  name                = "real-redis"
  location            = local.location
  resource_group_name = local.group
  capacity            = 0
  family              = "C"
  sku_name            = "Basic"
}

resource "azurerm_kubernetes_cluster" "this" {
  name                = "aks"
  location            = local.location
  resource_group_name = local.group
  dns_prefix          = "wide"
  node_provisioning_profile {
    mode = "Manual"
  }
  default_node_pool {
    name       = "default"
    node_count = 1
    vm_size    = "Standard_B2s"
  }
  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_container_app_environment" "this" {
  name                = "env"
  location            = local.location
  resource_group_name = local.group
}

resource "azurerm_app_configuration" "this" {
  name                = "real-conf"
  location            = local.location
  resource_group_name = local.group
}

resource "azurerm_search_service" "this" {
  name                = "real-search"
  location            = local.location
  resource_group_name = local.group
  sku                 = "basic"
}

resource "azurerm_cognitive_account" "this" {
  name                = "real-ai"
  location            = local.location
  resource_group_name = local.group
  kind                = "OpenAI"
  sku_name            = "S0"
}

resource "azurerm_recovery_services_vault" "this" {
  name                = "real-rsv"
  location            = local.location
  resource_group_name = local.group
  sku                 = "Standard"
}

resource "azurerm_automation_account" "this" {
  name                = "real-auto"
  location            = local.location
  resource_group_name = local.group
  sku_name            = "Basic"
}

resource "azurerm_eventhub_namespace" "this" {
  name                = "real-hubs"
  location            = local.location
  resource_group_name = local.group
  sku                 = "Standard"
}

resource "azurerm_eventhub" "this" {
  name              = "hub"
  namespace_id      = azurerm_eventhub_namespace.this.id
  partition_count   = 2
  message_retention = 1
}

resource "azurerm_postgresql_flexible_server" "this" {
  name                   = "real-pg"
  location               = local.location
  resource_group_name    = local.group
  version                = "16"
  administrator_login    = "someone"
  administrator_password = "Not-a-real-1"
  storage_mb             = 32768
  sku_name               = "B_Standard_B1ms"
  zone                   = "1"
}

resource "azurerm_mysql_flexible_server" "this" {
  name                   = "real-mysql"
  location               = local.location
  resource_group_name    = local.group
  administrator_login    = "someone"
  administrator_password = "Not-a-real-1"
  sku_name               = "B_Standard_B1ms"
  zone                   = "1"
}

resource "azurerm_virtual_network_gateway_connection" "this" {
  name                       = "connection"
  location                   = local.location
  resource_group_name        = local.group
  type                       = "IPsec"
  virtual_network_gateway_id = azurerm_virtual_network_gateway.this.id
  local_network_gateway_id   = azurerm_local_network_gateway.this.id
  shared_key                 = "Not-a-real-1"
}

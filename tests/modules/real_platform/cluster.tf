# A vault and a cluster, as azurerm 5 spells them; the test of the upgrade knows how 4 does.

data "azurerm_client_config" "current" {}

resource "azurerm_key_vault" "this" {
  name                       = local.vault
  location                   = local.location
  resource_group_name        = local.group
  tenant_id                  = data.azurerm_client_config.current.tenant_id
  sku_name                   = "standard"
  rbac_authorization_enabled = false

  access_policy {
    tenant_id          = data.azurerm_client_config.current.tenant_id
    object_id          = data.azurerm_client_config.current.object_id
    secret_permissions = ["Get", "List", "Set", "Delete", "Purge", "Recover"]
  }

  access_policy {
    tenant_id          = data.azurerm_client_config.current.tenant_id
    object_id          = azurerm_user_assigned_identity.app.principal_id
    secret_permissions = ["Get"]
  }
}

resource "azurerm_key_vault_secret" "database" {
  name         = "database"
  key_vault_id = azurerm_key_vault.this.id
  value        = "postgresql://${azurerm_postgresql_flexible_server.this.fqdn}/${azurerm_postgresql_flexible_server_database.this.name}"
}

resource "azurerm_container_registry" "this" {
  name                = "crplatformtfoidc"
  location            = local.location
  resource_group_name = local.group
  sku                 = "Premium"
}

resource "azurerm_subnet" "kubernetes" {
  name                 = "kubernetes"
  resource_group_name  = local.group
  virtual_network_name = azurerm_virtual_network.spoke.name
  address_prefixes     = ["10.1.16.0/20"]
}

resource "azurerm_kubernetes_cluster" "this" {
  name                      = "aks-platform"
  location                  = local.location
  resource_group_name       = local.group
  dns_prefix                = "platform"
  oidc_issuer_enabled       = true
  workload_identity_enabled = true

  default_node_pool {
    name           = "system"
    node_count     = 2
    vm_size        = "Standard_D2s_v5"
    vnet_subnet_id = azurerm_subnet.kubernetes.id

    upgrade_settings {
      max_surge = "10%"
    }
  }

  node_provisioning_profile {
    mode = "Manual"
  }

  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    pod_cidr            = "10.244.0.0/16"
    service_cidr        = "10.2.0.0/16"
    dns_service_ip      = "10.2.0.10"
  }

  identity {
    type = "SystemAssigned"
  }

  oms_agent {
    log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id
  }

  tags = local.tags
}

resource "azurerm_kubernetes_cluster_node_pool" "work" {
  name                  = "work"
  kubernetes_cluster_id = azurerm_kubernetes_cluster.this.id
  vm_size               = "Standard_D4s_v5"
  node_count            = 3
  vnet_subnet_id        = azurerm_subnet.kubernetes.id
  node_labels           = { pool = "work" }
}

resource "azurerm_role_assignment" "pull" {
  scope                = azurerm_container_registry.this.id
  role_definition_name = "AcrPull"
  principal_id         = azurerm_kubernetes_cluster.this.kubelet_identity[0].object_id
}

# What azurerm 4 and 5 spell otherwise, here as 5 has it, and what azurerm 4 waits for.

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

resource "azurerm_monitor_diagnostic_setting" "vault" {
  name                       = "all"
  target_resource_id         = azurerm_key_vault.this.id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id

  enabled_log {
    category_group = "audit"
  }
}

resource "azurerm_role_assignment" "secret" {
  scope                = azurerm_key_vault_secret.database.resource_versionless_id
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azurerm_user_assigned_identity.app.principal_id
}

resource "azurerm_private_dns_zone_virtual_network_link" "database" {
  name                = "spoke"
  private_dns_zone_id = azurerm_private_dns_zone.database.id
  virtual_network_id  = azurerm_virtual_network.spoke.id
}

resource "azurerm_storage_blob" "this" {
  name                 = "readme.txt"
  storage_container_id = azurerm_storage_container.this.id
  type                 = "Block"
  source_content       = "of ${var.owner}"
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

resource "azurerm_federated_identity_credential" "app" {
  name                      = "aks"
  user_assigned_identity_id = azurerm_user_assigned_identity.app.id
  audience                  = ["api://AzureADTokenExchange"]
  issuer                    = azurerm_kubernetes_cluster.this.oidc_issuer_url
  subject                   = "system:serviceaccount:orders:app"
}

resource "azurerm_role_assignment" "pull" {
  scope                = azurerm_container_registry.this.id
  role_definition_name = "AcrPull"
  principal_id         = azurerm_kubernetes_cluster.this.kubelet_identity[0].object_id
}

resource "azurerm_monitor_diagnostic_setting" "kubernetes" {
  name                       = "audit"
  target_resource_id         = azurerm_kubernetes_cluster.this.id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id

  enabled_log {
    category = "kube-audit-admin"
  }

  enabled_metric {
    category = "AllMetrics"
  }
}

resource "azurerm_servicebus_queue" "this" {
  name               = "orders"
  namespace_id       = azurerm_servicebus_namespace.this.id
  max_delivery_count = 5
}

resource "azurerm_monitor_metric_alert" "this" {
  name                = "errors"
  resource_group_name = local.group
  scopes              = [azurerm_linux_web_app.this.id]

  criteria {
    metric_namespace = "Microsoft.Web/sites"
    metric_name      = "Http5xx"
    aggregation      = "Total"
    operator         = "GreaterThan"
    threshold        = 5
  }

  action {
    action_group_id = azurerm_monitor_action_group.this.id
  }
}

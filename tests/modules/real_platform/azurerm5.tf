# What azurerm 4 and 5 spell otherwise, here as 5 has it, and what azurerm 4 waits for.

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

resource "azurerm_federated_identity_credential" "app" {
  name                      = "aks"
  user_assigned_identity_id = azurerm_user_assigned_identity.app.id
  audience                  = ["api://AzureADTokenExchange"]
  issuer                    = azurerm_kubernetes_cluster.this.oidc_issuer_url
  subject                   = "system:serviceaccount:orders:app"
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

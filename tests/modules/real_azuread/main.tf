terraform {
  required_providers {
    azuread = {
      source = "hashicorp/azuread"
    }
  }
}

variable "owner" {
  type    = string
  default = "first"
}

resource "azuread_application" "this" {
  display_name = "real-${var.owner}"
}

resource "azuread_service_principal" "this" {
  client_id = azuread_application.this.client_id
}

resource "azuread_application_federated_identity_credential" "this" {
  application_id = azuread_application.this.id
  display_name   = "pipeline"
  audiences      = ["api://AzureADTokenExchange"]
  issuer         = "https://vstoken.dev.azure.com/7e57ab1e-0000-4000-8000-000000000006"
  subject        = "sc://tfoidc/stand-in/real"
}

resource "azuread_group" "this" {
  display_name     = "real"
  security_enabled = true
}

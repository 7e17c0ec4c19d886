terraform {
  required_providers {
    azuredevops = {
      source = "microsoft/azuredevops"
    }
  }
}

provider "azuredevops" {
  org_service_url = "https://dev.azure.com/tfoidc"
  use_oidc        = true
}

variable "owner" {
  type    = string
  default = "first"
}

data "azuredevops_project" "this" {
  name = "stand-in"
}

resource "azuredevops_serviceendpoint_azurerm" "this" {
  project_id                             = data.azuredevops_project.this.id
  service_endpoint_name                  = "real"
  description                            = var.owner
  service_endpoint_authentication_scheme = "WorkloadIdentityFederation"
  azurerm_spn_tenantid                   = "7e57ab1e-0000-4000-8000-000000000001"
  azurerm_subscription_id                = "7e57ab1e-0000-4000-8000-000000000002"
  azurerm_subscription_name              = "stand-in"

  credentials {
    serviceprincipalid = "7e57ab1e-0000-4000-8000-000000000003"
  }
}

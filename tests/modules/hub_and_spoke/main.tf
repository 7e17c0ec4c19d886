# Two spokes of one tenant, peered with the hub of another: three subscriptions, two tenants.

terraform {
  required_providers {
    mockcloud = {
      source = "tfoidc/mockcloud"
    }
  }
  backend "azurerm" {
    storage_account_name = "stspokestate"
    container_name       = "tfstate"
    key                  = "spoke.tfstate"
    use_azuread_auth     = true
    subscription_id      = "c0000000-0000-4000-8000-000000000002"
    tenant_id            = "a0000000-0000-4000-8000-000000000002"
  }
}

provider "mockcloud" {
  subscription_id      = "c0000000-0000-4000-8000-000000000002"
  tenant_id            = "a0000000-0000-4000-8000-000000000002"
  auxiliary_tenant_ids = ["a0000000-0000-4000-8000-000000000001"]
}

provider "mockcloud" {
  alias           = "two"
  subscription_id = "c0000000-0000-4000-8000-000000000003"
  tenant_id       = "a0000000-0000-4000-8000-000000000002"
}

provider "mockcloud" {
  alias                            = "hub"
  subscription_id                  = "c0000000-0000-4000-8000-000000000001"
  tenant_id                        = "a0000000-0000-4000-8000-000000000001"
  auxiliary_tenant_ids             = ["a0000000-0000-4000-8000-000000000002"]
  client_id                        = "b0000000-0000-4000-8000-000000000002"
  oidc_azure_service_connection_id = "d0000000-0000-4000-8000-000000000002"
}

data "terraform_remote_state" "network" {
  backend = "azurerm"
  config = {
    storage_account_name = "stnetworkstate"
    container_name       = "tfstate"
    key                  = "network.tfstate"
    use_azuread_auth     = true
  }
}

data "mockcloud_group" "shared" {
  name = "rg-shared"
}

data "mockcloud_group" "hub" {
  provider = mockcloud.hub
  name     = "rg-hub"
}

resource "mockcloud_network" "one" {
  name     = "vnet-one"
  group    = data.mockcloud_group.shared.name
  location = data.mockcloud_group.shared.location
}

resource "mockcloud_group" "two" {
  provider       = mockcloud.two
  name           = "rg-two"
  location       = data.mockcloud_group.hub.location
  retention_days = 30
}

resource "mockcloud_network" "two" {
  provider = mockcloud.two
  name     = "vnet-two"
  group    = mockcloud_group.two.name
  location = mockcloud_group.two.location
}

resource "mockcloud_peering" "to_hub" {
  name       = "to-hub"
  network_id = mockcloud_network.one.id
  remote_id  = data.terraform_remote_state.network.outputs.network_id
}

resource "mockcloud_peering" "from_hub" {
  provider   = mockcloud.hub
  name       = "from-hub"
  network_id = data.terraform_remote_state.network.outputs.network_id
  remote_id  = mockcloud_network.one.id
}

output "tenants" {
  value = [data.mockcloud_group.hub.tenant, data.mockcloud_group.shared.tenant]
}

# Names, tags and addresses of a workload in an Azure landing zone. Everything is computed: it needs
# no provider but the one that is built into Terraform, and no Azure subscription.

terraform {
  required_version = ">= 1.6"

  # Where the state is: given by the pipeline, with -backend-config.
  backend "azurerm" {}
}

locals {
  region_codes = {
    northeurope        = "neu"
    westeurope         = "weu"
    germanywestcentral = "gwc"
    swedencentral      = "sdc"
  }

  suffix = join("-", [
    var.workload,
    var.environment,
    local.region_codes[var.region],
    format("%03d", var.instance),
  ])

  names = {
    resource_group  = "rg-${local.suffix}"
    virtual_network = "vnet-${local.suffix}"
    key_vault       = "kv-${local.suffix}"
    storage_account = "st${replace(local.suffix, "-", "")}"
  }

  # What the platform demands wins over what the workload wants.
  tags = merge(var.tags, {
    workload    = var.workload
    environment = var.environment
    cost_center = var.cost_center
    managed_by  = "terraform"
  })

  subnet_order = keys(var.subnets)
  subnets = zipmap(
    local.subnet_order,
    cidrsubnets(var.address_space, [for name in local.subnet_order : var.subnets[name]]...),
  )
}

resource "terraform_data" "resource_group" {
  input = {
    name   = local.names.resource_group
    region = var.region
    tags   = local.tags
  }

  lifecycle {
    precondition {
      condition     = alltrue([for name in [local.names.key_vault, local.names.storage_account] : length(name) <= 24])
      error_message = "Key vaults and storage accounts allow 24 characters: shorten the workload's name."
    }
  }
}

resource "terraform_data" "virtual_network" {
  input = {
    name           = local.names.virtual_network
    resource_group = terraform_data.resource_group.output.name
    address_space  = var.address_space
    tags           = terraform_data.resource_group.output.tags
  }
}

resource "terraform_data" "subnet" {
  for_each = local.subnets

  input = {
    name            = "snet-${each.key}-${local.suffix}"
    virtual_network = terraform_data.virtual_network.output.name
    address_prefix  = each.value
  }

  # A subnet cannot move to another network.
  triggers_replace = terraform_data.virtual_network.id
}

resource "terraform_data" "alert" {
  input = {
    name  = "ag-${local.suffix}"
    email = var.contact_email
    scope = terraform_data.resource_group.output.name
  }
}

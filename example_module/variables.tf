variable "workload" {
  description = "Short name of the workload."
  type        = string
  default     = "shop"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.workload))
    error_message = "The workload is 2 to 12 lower-case letters and digits, a letter first."
  }
}

variable "environment" {
  description = "Stage that the workload runs in."
  type        = string
  default     = "dev"

  validation {
    condition     = contains(["dev", "test", "prod"], var.environment)
    error_message = "The environment is dev, test or prod."
  }
}

variable "region" {
  description = "Azure region, as `az account list-locations` names it."
  type        = string
  default     = "westeurope"

  validation {
    condition     = contains(["northeurope", "westeurope", "germanywestcentral", "swedencentral"], var.region)
    error_message = "The landing zone has northeurope, westeurope, germanywestcentral and swedencentral."
  }
}

variable "instance" {
  description = "Number of this deployment of the workload."
  type        = number
  default     = 1

  validation {
    condition     = var.instance >= 1 && var.instance <= 999 && floor(var.instance) == var.instance
    error_message = "The instance is a whole number from 1 to 999."
  }
}

variable "address_space" {
  description = "Addresses of the virtual network, in CIDR notation."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.address_space))
    error_message = "The address space is an IPv4 network such as 10.20.0.0/16."
  }
}

variable "subnets" {
  description = "How many bits each subnet's prefix is longer than the network's."
  type        = map(number)
  default = {
    application = 8
    data        = 8
    gateway     = 10
  }
}

variable "cost_center" {
  description = "Cost center that pays for the workload."
  type        = string
  default     = "CC-1000"

  validation {
    condition     = can(regex("^CC-[0-9]{4}$", var.cost_center))
    error_message = "The cost center is CC- and four digits."
  }
}

variable "tags" {
  description = "Further tags; those of the platform win."
  type        = map(string)
  default     = {}
}

variable "contact_email" {
  description = "Who is called when something breaks."
  type        = string
  default     = "on-call@example.com"
  sensitive   = true
}

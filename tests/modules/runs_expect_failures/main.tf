variable "environment" {
  type    = string
  default = "dev"

  validation {
    condition     = contains(["dev", "prod"], var.environment)
    error_message = "The environment must be dev or prod."
  }
}

resource "terraform_data" "this" {
  input = var.environment
}

check "not_production" {
  assert {
    condition     = var.environment != "prod"
    error_message = "This is production."
  }
}

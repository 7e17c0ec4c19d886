terraform {
  backend "azurerm" {}
}

resource "terraform_data" "given" {
  input = {
    text     = var.text
    number   = var.number
    flag     = var.flag
    list     = var.list
    set      = sort([for number in var.set : tostring(number)])
    map      = var.map
    tuple    = var.tuple
    object   = var.object
    anything = var.anything
    nothing  = var.nothing == null
  }
}

output "given" {
  value = terraform_data.given.output
}

output "password" {
  value     = var.password
  sensitive = true
}

variable "size" {
  type    = number
  default = 1
}

resource "terraform_data" "this" {
  input = var.size

  lifecycle {
    precondition {
      condition     = var.size < 10
      error_message = "The size must be below 10."
    }
  }
}

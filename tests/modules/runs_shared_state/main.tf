variable "release" {
  type    = number
  default = 1
}

resource "terraform_data" "stable" {
  input = "kept"
}

resource "terraform_data" "release" {
  input            = var.release
  triggers_replace = var.release
}

output "stable_id" {
  value = terraform_data.stable.id
}

output "release_id" {
  value = terraform_data.release.id
}

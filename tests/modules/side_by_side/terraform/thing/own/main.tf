locals {
  # Terraform makes its data folder, which pytest-terraform needs, when there is a module in it.
  nothing = null
}

resource "terraform_data" "slow" {
  input = "real"

  lifecycle {
    postcondition {
      condition     = self.output != "real"
      error_message = "Only an overridden resource gets here."
    }
  }
}

output "value" {
  value = terraform_data.slow.output
}

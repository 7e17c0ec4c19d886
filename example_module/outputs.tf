output "names" {
  description = "Names of the workload's resources."
  value       = local.names
}

output "resource_group" {
  description = "The resource group."
  value       = terraform_data.resource_group.output
}

output "subnets" {
  description = "Address prefix of each subnet."
  value       = tomap({ for name, subnet in terraform_data.subnet : name => subnet.output.address_prefix })
}

output "tags" {
  description = "Tags that every resource carries."
  value       = local.tags
}

output "alert" {
  description = "Where alerts go."
  value       = terraform_data.alert.output
  sensitive   = true
}

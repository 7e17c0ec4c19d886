"""Upgrades of providers and of Terraform: one step, and its plan compared."""

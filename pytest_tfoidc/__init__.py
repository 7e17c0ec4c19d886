"""Terraform integration tests with ID tokens that refresh, and the proof that they do."""

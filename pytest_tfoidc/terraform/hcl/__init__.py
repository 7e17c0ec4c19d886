"""Terraform's language: native and JSON syntax, read into the same blocks."""

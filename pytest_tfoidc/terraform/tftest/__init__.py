"""Test files of Terraform, their run blocks, and running them."""

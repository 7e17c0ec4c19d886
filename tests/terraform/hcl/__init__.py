"""Tests of terraform hcl."""

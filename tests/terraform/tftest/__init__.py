"""Tests of terraform tftest."""

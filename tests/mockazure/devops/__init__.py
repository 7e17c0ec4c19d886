"""Tests of mockazure devops."""

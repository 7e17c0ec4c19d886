"""Tests of terraform."""

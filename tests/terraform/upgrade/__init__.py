"""Tests of terraform upgrade."""

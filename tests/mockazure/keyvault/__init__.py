"""Tests of mockazure keyvault."""

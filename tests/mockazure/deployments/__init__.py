"""Tests of mockazure deployments."""

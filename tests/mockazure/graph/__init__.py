"""Tests of mockazure graph."""

"""Tests of mockazure."""

"""Tests of mockazure storage."""

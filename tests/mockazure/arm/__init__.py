"""Tests of mockazure arm."""

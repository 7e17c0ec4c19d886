"""Tests of terraform audit."""

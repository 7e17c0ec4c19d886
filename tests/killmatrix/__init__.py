"""Tests of killmatrix."""

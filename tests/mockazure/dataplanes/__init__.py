"""Tests of mockazure dataplanes."""

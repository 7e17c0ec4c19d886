"""Tests of mockazure appconfig."""

"""Summaries and diagnoses for people, made from events."""

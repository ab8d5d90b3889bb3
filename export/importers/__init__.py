"""Readers of other frameworks' networks."""

"""Deliberate faults in what shortens paths."""

"""Deliberate faults in what only the compiler and hosts have."""

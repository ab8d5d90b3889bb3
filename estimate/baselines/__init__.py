"""Cycle formulas of other accelerators, as their papers publish them, for the same rows."""

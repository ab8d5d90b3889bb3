"""The cycles of other accelerators for the same rows, by the formulas that their papers publish."""

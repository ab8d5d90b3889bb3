"""Measurements of energy that take long: the baselines on one RTL, and the energies that ``reprise estimate`` uses."""

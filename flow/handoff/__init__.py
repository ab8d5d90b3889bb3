"""The hand-off folder, with RTL, constraints, drivers and test vectors; it builds without this project."""

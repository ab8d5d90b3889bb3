"""The hand-off: a folder with RTL, constraints, drivers and vectors that builds without this project."""

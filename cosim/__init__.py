"""Co-simulation of the generated RTL against the model: memory, drivers, checkers, runner, report."""

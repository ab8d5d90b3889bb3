"""Co-simulation of the generated RTL and its comparison with the model: benches, jobs and report."""

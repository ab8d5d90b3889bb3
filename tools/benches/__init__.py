"""The benchmarks that :mod:`tools.bench` finds, one module for each topic."""

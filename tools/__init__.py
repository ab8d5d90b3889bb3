"""Programs for development: benchmarks, sample data, experiments."""

"""Programs for those who develop Reprise: benchmarks, sample data, experiments, and the tables of the pages."""

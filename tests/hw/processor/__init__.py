"""Tests of the processor: sums against the model, cycles against its contract."""

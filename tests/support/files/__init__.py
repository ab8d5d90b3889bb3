"""Tests of the hand-off, its driver, synthesis figures and floor plans."""

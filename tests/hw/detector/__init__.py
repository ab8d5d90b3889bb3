"""Tests of detector, pruner and dispatcher, each alone."""

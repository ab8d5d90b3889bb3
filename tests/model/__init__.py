"""Tests of the specification against oracles that share no code with it."""

"""Tests of the sequencer, its fetch and its job scheduler."""

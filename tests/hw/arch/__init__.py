"""Tests of what software must know of the hardware."""

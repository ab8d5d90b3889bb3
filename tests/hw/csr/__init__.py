"""Tests of the registers and of what is generated from their description."""

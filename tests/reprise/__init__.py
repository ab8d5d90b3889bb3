"""Tests of the front door: command, Python API, wheel, and the layout of the tree."""

"""Tests of the RTL in Amaranth's simulator, a folder for each box."""

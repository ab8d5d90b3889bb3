"""Tests of cycles, area and density against RTL, oracles and published figures."""

"""Tests of rows, tiles, the search for prefixes and the bound."""

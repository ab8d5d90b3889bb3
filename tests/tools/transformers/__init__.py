"""Tests of tools.transformers."""

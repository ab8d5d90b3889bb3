"""Tests of maps whose channels lie in an order of their own."""

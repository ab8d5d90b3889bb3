"""Tests of imports: from other frameworks, compared with the networks themselves, and refused by name."""

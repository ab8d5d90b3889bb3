"""Tests of the fuzz: mutated programs in RTL and in the golden interpreter."""

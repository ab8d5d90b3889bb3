"""Tests of the compiler and of the golden interpreter."""

"""Tests of the row builder against the golden interpreter's rows."""

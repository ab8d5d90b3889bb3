"""Joins behind neurons: the levels of a stored map, which are added to those that a run fires."""

"""Chips: netlists of standard cells, their area, memory macros, clock and leakage."""

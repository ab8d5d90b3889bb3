"""Streams of currents that run past neurons: which currents are stored, and how others are added to them."""

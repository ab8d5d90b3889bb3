"""Traces: what each block does in every cycle."""

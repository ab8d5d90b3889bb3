"""Mutated programs on the accelerator in RTL and in the golden interpreter: both must end in the same way."""

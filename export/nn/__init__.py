"""Spiking neurons with their surrogate gradients, and the networks built of them."""

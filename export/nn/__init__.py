"""Spiking neurons with their surrogate gradients, and the networks that are built of them."""

"""Exact inference: layers, neurons and whole networks in NumPy integers, and the widths that hold them."""

"""Networks in the shape of published spiking transformers, with random weights, and what they take."""

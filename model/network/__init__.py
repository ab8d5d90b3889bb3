"""What a network is: neurons, sources, layers and how they join."""

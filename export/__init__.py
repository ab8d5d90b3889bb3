"""PyTorch side of Reprise: neurons, networks, training, quantization, the network file, imports."""

"""Recording: from any network of PyTorch's layers to a capture of its spikes."""

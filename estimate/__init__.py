"""What a network costs on a configuration, without simulating RTL: cycles, area and density of product sparsity."""

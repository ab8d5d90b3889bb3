"""Product sparsity: binary rows and tiles, the search for prefixes and the bound on cycles."""

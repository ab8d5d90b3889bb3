"""The checker of AXI's rules, under traffic that keeps them and traffic that breaks them."""

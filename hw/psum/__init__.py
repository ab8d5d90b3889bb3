"""Banks of partial sums, kept per row, and the drain that hands them to the neurons."""

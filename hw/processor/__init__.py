"""The processor: rows wait for their prefixes, and the PE array adds one weight row per residual bit."""

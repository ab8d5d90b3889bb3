"""General parts that know nothing of neurons: FIFOs, a skid buffer, wide memories, fan-out and bit logic."""

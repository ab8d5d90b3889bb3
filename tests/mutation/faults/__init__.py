"""Lists of deliberate faults, by what they are faults of."""

"""What the hand-off folder delivers, run as its user would."""

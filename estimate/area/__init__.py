"""What a design takes of an ECP5, without synthesis: memories and multipliers are counted, and logic is estimated."""

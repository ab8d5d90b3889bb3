"""What travels between boxes: stream payloads, commands, memory requests, events and row orders."""

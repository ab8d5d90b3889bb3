"""The soak: what is drawn, what a verdict sees, and how it goes on where it stopped."""

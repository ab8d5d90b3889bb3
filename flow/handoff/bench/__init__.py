"""What the delivered testbench of a hand-off runs, and what it must see."""

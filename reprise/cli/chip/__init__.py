"""The commands that take the accelerator as a chip: its area, its clock and its energy."""

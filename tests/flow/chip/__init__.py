"""Tests of the accelerator as a chip: cells, area, clock, replay and energy, on a small design and on `tiny`."""

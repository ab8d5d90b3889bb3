"""The energy of a network as a chip, from events of the cycle model and energies that were fitted to measurements."""

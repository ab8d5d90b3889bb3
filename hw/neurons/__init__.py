"""The neuron array: planes are selected and combined, potentials leak, fire and reset, levels leave in order."""

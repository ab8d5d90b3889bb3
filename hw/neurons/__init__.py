"""The neuron array turns the partial sums of a layer into spike levels.

It combines the planes of a position, adds the leaked membrane potential, fires, resets, and gives out the levels in the
order of the layer's positions.
"""

"""The output writer brings a layer's results into the form in which they lie in memory.

It pools levels, turns them into planes in the encoding of the layer that reads them, and packs the planes into lines.
The potentials of a readout are packed into lines as they are.
"""

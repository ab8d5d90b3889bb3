"""The exact NumPy model of Reprise: networks, neurons, product sparsity, inference, and the files that hold networks.

It is the specification in executable form: exporter, hardware and co-simulation are checked against it.
"""

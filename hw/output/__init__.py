"""The output writer: max pool, planes of the consumer's encoding, packed lines and the readout's potentials."""

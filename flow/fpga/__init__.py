"""FPGA hand-off: synthesis and routing figures, resource estimates, and a folder that synthesizes elsewhere."""

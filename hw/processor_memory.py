"""Attributes of the processor's wide memories, for synthesis."""

BLOCK_RAM = {"ram_style": "block", "no_rw_check": 1}
"""Block RAM without logic for collisions: no read that is used coincides with a write of its word (docs/processor.md).

Yosys keeps to ``no_rw_check``; without it, it builds the old word from flip-flops.
"""

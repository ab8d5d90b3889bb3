"""Tests: units, properties, independent oracles and cocotb benches."""

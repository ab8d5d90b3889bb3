"""Formal proofs (SymbiYosys, z3) of small configurations."""

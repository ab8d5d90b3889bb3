"""Formal proofs (SymbiYosys with ABC; z3 for counterexamples) of small configurations."""

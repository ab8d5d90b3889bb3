"""Area before synthesis, on an ECP5: block RAM and multipliers counted, LUTs and flip-flops estimated."""

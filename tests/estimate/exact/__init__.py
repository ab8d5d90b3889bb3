"""The cycles of the RTL against those of the cycle model: what such tests share, and RUNs of every mode."""

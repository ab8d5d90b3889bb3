"""The golden interpreter: it executes a memory image in NumPy and tells what every run saw."""

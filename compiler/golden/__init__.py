"""The golden interpreter, which executes a memory image in NumPy and tells what every RUN saw."""

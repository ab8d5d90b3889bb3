"""Host programs against the Verilated accelerator: the library that both languages drive, and programs in C."""

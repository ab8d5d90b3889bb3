"""The soak: random networks on random hardware with random stalls, thousands of them, each compared with the model."""

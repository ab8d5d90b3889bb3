"""Products of two feature maps, which attention is made of: programs whose weights an earlier RUN has written."""

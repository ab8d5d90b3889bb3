"""The sorter: a tile's rows are kept in a memory and leave in ascending order of their ones."""

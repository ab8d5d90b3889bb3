"""The sorter keeps the rows of a tile in a memory and gives them out in ascending order of their set bits."""

"""How the rows of tiles are put together from the lines of maps: segments, and inputs that the host gathers."""

"""From feature maps to binary rows: the feature buffer, the tables of rows and segments, and the row builder."""

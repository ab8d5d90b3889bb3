"""The box im2col makes binary rows of feature maps, with a feature buffer, two tables and a row builder."""

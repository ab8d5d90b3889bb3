"""The loader: memory lines become features, segments, parameters and weights on chip."""

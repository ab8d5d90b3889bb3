"""Training recipes, the data sets that they name, and the training itself."""

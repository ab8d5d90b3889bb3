"""Training recipes, the data sets that they name, and the loop that runs them."""

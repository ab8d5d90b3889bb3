"""The co-simulation's report: figures, charts and the page that shows them."""

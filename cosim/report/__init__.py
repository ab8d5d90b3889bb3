"""The report of a co-simulation: its figures, its charts, and the page that shows them."""

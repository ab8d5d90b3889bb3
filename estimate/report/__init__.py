"""The vocabulary of all reports: one description of every field, and the head that says how a report came about."""

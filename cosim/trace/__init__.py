"""What every block did in every cycle: Chrome's trace files, and the pictures of a report's page."""

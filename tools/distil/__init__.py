"""Programs that distil published data into the small tables that Reprise ships, with their sources."""

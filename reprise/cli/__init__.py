"""The `reprise` command: one application, one voice for errors."""

"""What every room stands on: cache, presets, checks, errors, progress and threads."""

"""What every room stands on: the cache, the presets, checks, errors, progress, figures and threads."""

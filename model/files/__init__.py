"""Files that people hand in: networks, their manifests and captures of recorded spikes."""

"""Jobs for the benches: networks, recorded spikes and random networks, and the comparison with the model."""

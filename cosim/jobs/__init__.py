"""Jobs for the benches: networks, recorded spikes, random programs, and the comparison with the model."""

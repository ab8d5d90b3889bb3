"""Tests of the files that people hand in: captures of recorded spikes."""

"""The sequencer fetches commands, checks them, issues them, and takes a job from its start to its end."""

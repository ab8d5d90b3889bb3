"""The sequencer: it fetches commands, checks them, schedules jobs and keeps the life of a program."""

"""Detector, pruner and dispatcher: each row's largest earlier subset, what is left of it, where it goes."""

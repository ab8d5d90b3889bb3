"""Readers of networks that other frameworks made."""

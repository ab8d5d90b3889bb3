"""Deliberate faults in the sources, the test that must catch each, and the program that tries them."""

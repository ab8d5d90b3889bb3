"""Tests of FIFOs and fan-out trees."""

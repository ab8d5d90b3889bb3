"""Tests of attention: trained and exported as integers, and compared with SpikingJelly."""

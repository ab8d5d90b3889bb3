"""Tests of products of two feature maps in programs."""

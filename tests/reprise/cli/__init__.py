"""Tests of what the commands of `reprise` do: help, mistakes, output."""

"""Tests of imports from frameworks that have an environment of their own: ``make frameworks`` runs them there."""

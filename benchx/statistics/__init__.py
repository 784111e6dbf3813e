"""Intervals and tests on stored predictions."""

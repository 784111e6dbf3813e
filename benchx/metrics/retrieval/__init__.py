"""Metrics of retrieval over a whole test set: ranks, top lists, their scores, and what chance would give."""

DEPTHS = (1, 5, 10)
"""The K of recall, hits and precision at K."""

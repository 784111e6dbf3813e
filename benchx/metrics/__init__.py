"""Metrics, one module per family of tasks."""

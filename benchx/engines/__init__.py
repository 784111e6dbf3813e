"""Engines: where cells are run."""

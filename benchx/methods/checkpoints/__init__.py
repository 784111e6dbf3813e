"""Checkpoint files as they are published: read without running anything in them, and converted."""

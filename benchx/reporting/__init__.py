"""Boards and reports, made from the store alone."""

"""Adapted methods against the bases that they were made from."""

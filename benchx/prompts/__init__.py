"""Prompt sets of zero-shot classification: what a suite file says, and the texts it comes to for each class."""

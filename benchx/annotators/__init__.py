"""Scorers that read reports with a trained model, each in a process of its own: F1-RadGraph and CheXbert."""

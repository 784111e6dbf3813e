"""Two methods by every test."""

"""A board in all its written forms."""

"""The report on one method."""

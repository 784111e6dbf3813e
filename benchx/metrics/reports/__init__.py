"""Metrics of generated reports against the reports that people wrote."""

"""Datasets that a YAML file describes: a CSV with a folder of images, or Parquet and Arrow files."""

"""Segmentation: a decoder on an encoder's maps, scored per image against outlines."""

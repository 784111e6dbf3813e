"""Segmentation decoders on an encoder's maps, and their losses."""

from __future__ import annotations

from benchx.decoders.segmentation.builder import build_decoder

__all__ = ["build_decoder"]

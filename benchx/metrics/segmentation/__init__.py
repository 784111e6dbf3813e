"""Segmentation: overlap, distance of outlines and lesions found, of one image and of a test set."""

from __future__ import annotations

from benchx.metrics.segmentation.case import CaseScores, score_case
from benchx.metrics.segmentation.lesions import lesion_f1
from benchx.metrics.segmentation.overlap import dice, iou, pooled_mean_dice

__all__ = ["CaseScores", "dice", "iou", "lesion_f1", "pooled_mean_dice", "score_case"]

"""Time HD95 and NSD of one 512 x 512 image and class beside MONAI's two functions, in CPU time.

OMP_NUM_THREADS=2 python benchmarks/surface_speed.py
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import cv2
import numpy as np
import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice

from benchx.metrics.segmentation import score_case
from benchx.metrics.segmentation.surface import surface_scores

SIDE, REPEATS, TOLERANCE = 512, 15, 2.0


def drawn() -> dict[str, list[np.ndarray]]:
    """Return pairs of masks, from an ordinary lesion to the worst that a network can answer."""
    rng = np.random.default_rng(0)
    small, lungs = ([np.zeros((SIDE, SIDE), np.uint8) for _ in range(2)] for _ in range(2))
    for shift, (lesion, lung) in enumerate(zip(small, lungs, strict=True)):
        cv2.ellipse(lesion, (150 + 6 * shift, 140), (60, 25 + 4 * shift), 20, 0, 360, 1, -1)
        cv2.ellipse(lung, (150 + 4 * shift, 260), (80, 190), 5, 0, 360, 1, -1)
        cv2.ellipse(lung, (370, 260 + 4 * shift), (80, 190), -5, 0, 360, 1, -1)
    smooth = [(cv2.GaussianBlur(rng.random((SIDE, SIDE)), (0, 0), 4) > 0.5).astype(np.uint8) for _ in range(2)]
    noise = [(rng.random((SIDE, SIDE)) > 0.5).astype(np.uint8) for _ in range(2)]
    corners = [np.zeros((SIDE, SIDE), np.uint8) for _ in range(2)]
    corners[0][:9, :9] = corners[1][-9:, -9:] = 1
    return {"lesion": small, "lungs": lungs, "far corners": corners, "smooth noise": smooth, "pixel noise": noise}


def milliseconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the median CPU time of one call, and what it returned."""
    times, result = [], work()
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        times.append(1000 * (time.process_time() - started))
    return median(times), result


def monai(truth: np.ndarray, prediction: np.ndarray, spacing: tuple[float, float]) -> tuple[float, float]:
    masks = [torch.from_numpy(mask)[None, None] for mask in (prediction, truth)]
    arguments: dict[str, Any] = {"include_background": True, "spacing": list(spacing)}
    hd95 = compute_hausdorff_distance(*masks, percentile=95, **arguments)
    return hd95.item(), compute_surface_dice(*masks, class_thresholds=[TOLERANCE], **arguments).item()


def main() -> None:
    warnings.filterwarnings("ignore", category=FutureWarning, message="monai")
    print(f"{SIDE} x {SIDE}, one class, median of {REPEATS} calls; the case adds pixels and lesions")
    for name, (truth, prediction) in drawn().items():
        for spacing in ((1.0, 1.0), (0.3, 0.5)):
            whole, case = milliseconds(lambda: score_case(truth[None], prediction[None], spacing, TOLERANCE))  # noqa: B023
            surface, ours = milliseconds(
                lambda: surface_scores(truth, prediction, spacing, TOLERANCE)  # noqa: B023
            )
            theirs, expected = milliseconds(lambda: monai(truth, prediction, spacing))  # noqa: B023
            gap = max(abs(ours[0] / expected[0] - 1), abs(ours[1] - expected[1]), abs(case.hd95[0] / expected[0] - 1))
            print(
                f"{name:>12} {spacing}: HD95 and NSD {surface:5.1f} ms, MONAI {theirs:6.1f} ms "
                f"({theirs / surface:4.1f} x), whole case {whole:5.1f} ms, largest difference {gap:.0e}"
            )


if __name__ == "__main__":
    main()

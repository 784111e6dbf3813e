"""Time DeLong's covariance for two methods and 14 labels at the size of the NIH test set, in CPU seconds.

OMP_NUM_THREADS=1 python benchmarks/delong_speed.py
"""

from __future__ import annotations

import time

import numpy as np
from sklearn.metrics import roc_auc_score

from benchx.statistics.delong import delong, macro_delong

CASES, PATIENTS, CLASSES, SUBSET = 25596, 2797, 14, 2000


def naive(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the covariance of methods [M, N] by comparing every positive with every negative."""
    positive, negative = scores[:, labels == 1], scores[:, labels == 0]
    won = (np.sign(positive[:, :, None] - negative[:, None, :]) + 1) / 2
    return np.cov(won.mean(axis=2)) / positive.shape[1] + np.cov(won.mean(axis=1)) / negative.shape[1]


def main() -> None:
    rng = np.random.default_rng(0)
    clusters = [str(patient) for patient in rng.integers(0, PATIENTS, CASES)]
    labels = (rng.random((CASES, CLASSES)) < np.geomspace(0.005, 0.3, CLASSES)).astype(float)
    methods = (rng.normal(size=(2, CASES, CLASSES)) + labels).astype(np.float32).astype(float)

    started = time.process_time()
    found = [delong(methods[:, :, one], labels[:, one]) for one in range(CLASSES)]
    plain = time.process_time()
    for one in range(CLASSES):
        delong(methods[:, :, one], labels[:, one], clusters)
    clustered = time.process_time()
    macro_delong(*methods, labels, clusters)
    macro = time.process_time()
    areas = [[roc_auc_score(labels[:, one], scores[:, one]) for scores in methods] for one in range(CLASSES)]
    theirs = time.process_time()

    print(f"{CASES} cases of {PATIENTS} patients, {CLASSES} labels, 2 methods")
    print(f"covariance of each label {plain - started:.2f} s, with patients {clustered - plain:.2f} s")
    print(f"macro test with patients {macro - clustered:.2f} s")
    print(f"scikit-learn's AUROCs alone {theirs - macro:.2f} s")
    print(f"largest difference {np.abs(np.array(areas) - [one.auroc for one in found]).max():.1e}")

    few, truth = methods[:, :SUBSET, -1], labels[:SUBSET, -1]
    started = time.process_time()
    ours = delong(few, truth).covariance
    done = time.process_time()
    slow = naive(few, truth)
    ratio = (time.process_time() - done) / (done - started)
    print(f"every pair compared, one label of {SUBSET} cases: {ratio:.0f} x slower")
    print(f"largest relative difference {np.abs(slow / ours - 1).max():.1e}")


if __name__ == "__main__":
    main()

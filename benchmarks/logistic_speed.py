"""Time the batched logistic solve against a loop of scikit-learn fits on the same problems.

OMP_NUM_THREADS=2 python benchmarks/logistic_speed.py
"""

from __future__ import annotations

import time

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from benchx.training.logistic import fit, predict

CASES, FEATURES, CLASSES = 2000, 1280, 14
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


def simulate(cases: int, features: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw features like pooled ones (non-negative, correlated, uneven) and findings of 1 to 30 %."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(cases, 64))
    mixed = hidden @ rng.normal(size=(64, features)) / 8 + 0.3 * rng.normal(size=(cases, features))
    signal = hidden @ rng.normal(size=(64, classes)) / 4 + 0.5 * rng.logistic(size=(cases, classes))
    rates = np.geomspace(0.01, 0.3, classes)
    cuts = np.array([np.quantile(signal[:, column], 1 - rate) for column, rate in enumerate(rates)])
    return np.maximum(mixed + rng.normal(size=features), 0).astype(np.float32), (signal > cuts).astype(float)


def main() -> None:
    features, labels = simulate(CASES, FEATURES, CLASSES)
    fit(features[:64], labels[:64], STRENGTHS)
    started = time.process_time()
    path = fit(features, labels, STRENGTHS)
    ours = time.process_time() - started
    x = (features - path.mean) / path.scale

    theirs, widest = 0.0, np.zeros(len(STRENGTHS))
    for index, strength in enumerate(STRENGTHS):
        scores = predict(path, index, features)
        for column in range(CLASSES):
            model = LogisticRegression(C=1 / (strength * CASES), tol=1e-8, max_iter=5000)
            started = time.process_time()
            model.fit(x, labels[:, column])
            theirs += time.process_time() - started
            gap = np.abs(model.decision_function(x) - scores[:, column]).max() / scores[:, column].std()
            widest[index] = max(widest[index], gap)
    print(f"{CASES} x {FEATURES}, {CLASSES} classes, {len(STRENGTHS)} strengths, {torch.get_num_threads()} threads")
    print(f"benchx {ours:.1f} s ({path.iterations} iterations), scikit-learn {theirs:.1f} s: {theirs / ours:.1f} x")
    for strength, gap in zip(STRENGTHS, widest, strict=True):
        print(f"strength {strength:g}: largest score difference {gap:.1e} of the scores' deviation")


if __name__ == "__main__":
    main()

"""Time the batched few-shot solve against a loop of scikit-learn fits on the same draws.

OMP_NUM_THREADS=1 python benchmarks/few_shot_speed.py
"""

from __future__ import annotations

import time

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from benchx.training.few_shot_solver import fit_few
from benchx.training.scaling import scaling

CASES, FEATURES, CLASSES, DRAWS, STRENGTH = 2000, 1280, 14, 100, 0.1
SHOTS = (1, 2, 4, 8, 16)


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(CASES, 64))
    features = np.maximum(hidden @ rng.normal(size=(64, FEATURES)) / 8 + rng.normal(size=(CASES, FEATURES)), 0)
    labels = (hidden[:, :CLASSES] + rng.logistic(size=(CASES, CLASSES)) > 1).astype(float)
    by = scaling(features, np.arange(CASES))
    x = (features - by.mean) / by.scale
    ours = theirs = 0.0
    widest = 0.0
    for shots in SHOTS:
        rows = np.array(
            [
                np.concatenate([rng.permutation(np.flatnonzero(column == value))[:shots] for value in (1, 0)])
                for column in labels.T
                for _ in range(DRAWS)
            ]
        )
        targets = np.tile(np.repeat([1.0, 0.0], shots), (len(rows), 1))
        started = time.perf_counter()
        heads = fit_few(features, rows, targets, by, STRENGTH)
        mine = time.perf_counter() - started
        loop = 0.0
        for head in range(len(rows)):
            model = LogisticRegression(C=1 / (STRENGTH * 2 * shots), tol=1e-8, max_iter=5000)
            started = time.perf_counter()
            model.fit(x[rows[head]], targets[head])
            loop += time.perf_counter() - started
            scores = model.decision_function(x[:50])
            gap = np.abs(features[:50] @ heads.weights[head] + heads.intercepts[head] - scores)
            widest = max(widest, float(gap.max()))
        print(
            f"{shots:2d} shots: {len(rows)} heads, benchx {mine:.2f} s, scikit-learn {loop:.1f} s: {loop / mine:.0f} x"
        )
        ours, theirs = ours + mine, theirs + loop
    print(f"in all: benchx {ours:.2f} s, scikit-learn {theirs:.1f} s: {theirs / ours:.0f} x, 1 thread")
    print(f"largest difference of log-odds {widest:.1e}")


if __name__ == "__main__":
    main()

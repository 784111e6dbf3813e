"""Time the paired bootstrap of two macro AUROCs at the size of the NIH test set, end to end, in CPU seconds.

OMP_NUM_THREADS=1 python benchmarks/bootstrap_speed.py

Draws, sorting and the AUROCs of two models in 10,000 replicates are timed together, compiling apart.
scikit-learn scores explicitly repeated rows in a few replicates of the same draws; its time is extrapolated.
"""

from __future__ import annotations

import resource
import time

import numpy as np
from sklearn.metrics import roc_auc_score

from benchx.statistics.auroc_kernel import auroc_replicates
from benchx.statistics.bootstrap import macro_auroc_replicates, percentile_interval
from benchx.statistics.resampling import Draws, draw_clusters

CASES, PATIENTS, CLASSES, REPLICATES, COMPARED = 25596, 2797, 14, 10_000, 5


def simulate() -> tuple[np.ndarray, list[np.ndarray], list[str]]:
    """Draw labels of 0.3 to 24 %, the scores of two models (one with three decimals, so with ties), and patients."""
    rng = np.random.default_rng(0)
    labels = (rng.random((CASES, CLASSES)) < np.geomspace(0.003, 0.24, CLASSES)).astype(float)
    scores = [rng.normal(size=labels.shape) + labels for _ in range(2)]
    patients = np.append(np.arange(PATIENTS), rng.integers(0, PATIENTS, CASES - PATIENTS))
    return labels, [scores[0], scores[1].round(3)], [str(number) for number in patients]


def repeated(scores: np.ndarray, labels: np.ndarray, draws: Draws, replicate: int) -> list[float]:
    rows = np.repeat(np.arange(CASES), draws.weights(replicate))
    return [float(roc_auc_score(labels[rows, c], scores[rows, c])) for c in range(CLASSES)]


def main() -> None:
    labels, models, patients = simulate()
    started = time.process_time()
    auroc_replicates(models[0][:200], labels[:200], draw_clusters(patients[:200], 1, 0))
    print(f"compiled, or read from the cache, in {time.process_time() - started:.2f} s")
    for unit, clusters in (("patients", patients), ("images", [str(case) for case in range(CASES)])):
        started = time.process_time()
        draws = draw_clusters(clusters, REPLICATES, 0, labels)
        drawing = time.process_time() - started
        first, second = (macro_auroc_replicates(scores, labels, draws) for scores in models)
        low, high = percentile_interval(first - second)
        ours = time.process_time() - started

        started = time.process_time()
        theirs = [[repeated(scores, labels, draws, replicate) for scores in models] for replicate in range(COMPARED)]
        one = (time.process_time() - started) / COMPARED
        few = Draws(draws.counts[:COMPARED], draws.member, 0)
        found = np.stack([auroc_replicates(scores, labels, few) for scores in models], axis=1)

        size = f"{CASES} images, {CLASSES} classes, 2 models, {REPLICATES} replicates"
        print(f"{size}, {draws.counts.shape[1]} {unit} drawn")
        print(f"  benchx       {ours:7.2f} s (draws {drawing:.2f} s), gap {low:.4f} to {high:.4f}")
        loop = one * REPLICATES
        print(f"  scikit-learn {loop:7.0f} s (extrapolated from {COMPARED} replicates): {loop / ours:.0f} x")
        print(f"  largest difference of an AUROC {np.abs(found - theirs).max():.1e}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()

"""Time the exact patient bootstrap at the size of the NIH test set, against scikit-learn, in CPU seconds.

OMP_NUM_THREADS=1 python benchmarks/bootstrap_speed.py
"""

from __future__ import annotations

import resource
import time

import numpy as np
from sklearn.metrics import roc_auc_score

from benchx.statistics.bootstrap import auroc_replicates, cluster_weights

CASES, PATIENTS, CLASSES, REPLICATES = 25596, 2797, 14, 1000


def main() -> None:
    rng = np.random.default_rng(0)
    clusters = [str(patient) for patient in rng.integers(0, PATIENTS, CASES)]
    labels = (rng.random((CASES, CLASSES)) < np.geomspace(0.005, 0.3, CLASSES)).astype(float)
    scores = (rng.normal(size=(CASES, CLASSES)) + labels).astype(np.float32).astype(float)

    started = time.process_time()
    weights = cluster_weights(clusters, REPLICATES, 0, labels).weights
    drawn = time.process_time()
    ours = auroc_replicates(scores, labels, weights)
    done = time.process_time()
    theirs = [roc_auc_score(labels[:, c], scores[:, c], sample_weight=weights[0]) for c in range(CLASSES)]
    one = time.process_time() - done

    print(f"{CASES} cases of {PATIENTS} patients, {CLASSES} classes, {REPLICATES} replicates")
    print(f"draws {drawn - started:.2f} s, AUROCs {done - drawn:.2f} s")
    print(f"scikit-learn {one:.3f} s per replicate: {one * REPLICATES / (done - drawn):.0f} x slower")
    print(f"largest difference {np.abs(ours[0] - theirs).max():.1e}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()

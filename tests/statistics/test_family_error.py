"""How often the whole pairwise procedure of a board column finds a difference between ten equal methods."""

from __future__ import annotations

import numpy as np
import pytest

from benchx.reporting.building.families import Scores, differences
from benchx.statistics.auroc_kernel import auroc_replicates
from benchx.statistics.case_error import holders
from benchx.statistics.multiplicity import holm
from benchx.statistics.resampling import draw_clusters
from benchx.statistics.variance import mean_estimate

METHODS, PATIENTS, IMAGES, REPLICATES, RUNS = 10, 200, 3, 400, 2000


@pytest.mark.slow
@pytest.mark.parametrize(("draws", "draw_effect"), [(3, 0.0), (3, 0.12), (3, 0.24), (5, 0.24), (1, 0.0)])
def test_ten_equal_methods_are_told_apart_in_at_most_six_of_a_hundred_columns(draws, draw_effect):
    rng = np.random.default_rng([draws, int(100 * draw_effect)])
    families = np.array([_p_values(rng, draws, draw_effect) for _ in range(RUNS)])
    corrected = np.mean([(holm(p) <= 0.05).any() for p in families])
    uncorrected = np.mean((families <= 0.05).any(axis=1))
    print(
        f"{draws} draws, effect {draw_effect}: family-wise error {corrected:.4f} with Holm, {uncorrected:.4f} without"
    )
    assert 0 < corrected <= 0.06
    assert uncorrected > 0.2


def _p_values(rng: np.random.Generator, draws: int, draw_effect: float) -> np.ndarray:
    """Return the p values of all pairs of one simulated column.

    The label and part of every score belong to the patient, part of the score to the patient's image in all methods,
    part to the method; how well a draw tells the labels apart varies by draw, half of that in common to all methods
    (as a shared label subset does) and half of the method's own.
    """
    labels = np.repeat(rng.random(PATIENTS) < 0.3, IMAGES).astype(float)
    shape = (METHODS, draws)
    signal = 1 + draw_effect * (rng.normal(size=(1, draws)) + rng.normal(size=shape)) / np.sqrt(2)
    patient = 0.6 * rng.normal(size=PATIENTS) + 0.4 * rng.normal(size=(METHODS, 1, PATIENTS))
    image = 0.4 * rng.normal(size=PATIENTS * IMAGES) + 0.4 * rng.normal(size=(METHODS, 1, PATIENTS * IMAGES))
    own = 0.4 * rng.normal(size=(*shape, PATIENTS * IMAGES))
    scores = signal[..., None] * labels + np.repeat(patient, IMAGES, axis=-1) + image + own
    columns = scores.reshape(METHODS * draws, -1).T
    column_labels = np.repeat(labels[:, None], METHODS * draws, axis=1)
    clusters = [f"{patient:03d}" for patient in range(PATIENTS) for _ in range(IMAGES)]
    drawn = draw_clusters(clusters, REPLICATES, int(rng.integers(2**31)), labels[:, None])
    replicates = auroc_replicates(columns, column_labels, drawn).T.reshape(*shape, REPLICATES)
    estimates = _aurocs(scores, labels)
    held = int(holders(labels[:, None], drawn.member)[0])
    methods = [
        Scores(
            method=str(number),
            draws=tuple(str(draw) for draw in range(draws)),
            scores=estimates[number],
            replicates=replicates[number],
            by_class=replicates[number].mean(axis=0)[:, None],
            held=np.array([held]),
            pooled=held,
            clusters=PATIENTS,
            estimate=mean_estimate(estimates[number], replicates[number], PATIENTS),
        )
        for number in range(METHODS)
    ]
    return np.array([estimate.p_value for _, _, estimate in differences(methods, 0.95)])


def _aurocs(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the AUROC [M, S] of scores [M, S, N] without ties."""
    places = scores.argsort(axis=-1).argsort(axis=-1) + 1
    positives = int(labels.sum())
    below = places[..., labels == 1].sum(axis=-1) - positives * (positives + 1) / 2
    return below / (positives * (len(labels) - positives))

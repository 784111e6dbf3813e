"""Do 95 % intervals hold the truth in 95 % of studies? Simulated studies of 200 patients with three images each.

A score is the sum of a signal, of patient and image effects that all draws share, of effects that one method has, and
of effects of one draw; the effects' variance is 1, so the expected AUROC is known in closed form. The strength of the
signal differs from draw to draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from benchx.statistics.case_error import of_macro
from benchx.statistics.variance import Estimate, difference_estimate, mean_estimate, of_score

PATIENTS, IMAGES, REPLICATES, RUNS = 200, 3, 300, 2000
MEMBER = np.repeat(np.arange(PATIENTS), IMAGES)
SIGNAL = 1.0


@dataclass(frozen=True)
class Shares:
    """Variance of a score due to (patient, image) effects that are common, one method's, and one draw's."""

    common: tuple[float, float] = (0.35, 0.2)
    method: tuple[float, float] = (0.2, 0.15)
    draw: tuple[float, float] = (0.05, 0.05)


USUAL = Shares()
RESTLESS = Shares(common=(0.2, 0.2), method=(0.05, 0.05), draw=(0.25, 0.25))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The matrices are small: threads would only wait for each other."""
    with threadpool_limits(1):
        yield


def effects(rng: np.random.Generator, variances: tuple[float, float]) -> np.ndarray:
    patient, image = np.sqrt(variances)
    return patient * rng.normal(size=PATIENTS)[MEMBER] + image * rng.normal(size=len(MEMBER))


def labels(rng: np.random.Generator) -> np.ndarray:
    """Two fifths of the patients are ill; 90 % of their images show it, and 5 % of the images of the others."""
    ill = rng.random(PATIENTS) < 0.4
    return rng.random(len(MEMBER)) < np.where(ill, 0.9, 0.05)[MEMBER]


def replicated_auroc(scores: np.ndarray, positive: np.ndarray, counts: np.ndarray, member: np.ndarray) -> np.ndarray:
    """AUROC of scores [S, N] without ties: [S, 1 + R], all cases first, then cluster k counted counts[r, k] times."""
    clusters, first = np.unique(member[positive], return_index=True)  # members are in order
    above = scores[:, positive, None] > scores[:, None, ~positive]
    pairs = np.add.reduceat(above, first, axis=1, dtype=np.float32)
    weights = np.vstack([np.ones(counts.shape[1]), counts]).astype(np.float32)
    negatives = weights[:, member[~positive]]
    concordant = ((weights[:, clusters] @ pairs) * negatives).sum(axis=2, dtype=float)
    return concordant / (weights[:, member[positive]].sum(axis=1) * negatives.sum(axis=1))


def draw_counts(rng: np.random.Generator, size: int) -> np.ndarray:
    drawn = rng.integers(0, size, (REPLICATES, size)) + size * np.arange(REPLICATES)[:, None]
    return np.bincount(drawn.ravel(), minlength=REPLICATES * size).reshape(REPLICATES, size)


@cache
def signal_deviation(ratio: float, shares: Shares) -> float:
    """The deviation of the draws' signal that makes the AUROC vary between draws by `ratio` x its case variance."""
    rng = np.random.default_rng(1)
    none = np.empty((0, PATIENTS))
    values = []
    for _ in range(3000):
        positive = labels(rng)
        scores = SIGNAL * positive + sum(effects(rng, part) for part in (shares.common, shares.method, shares.draw))
        values.append(replicated_auroc(scores[None], positive, none, MEMBER)[0, 0])
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)

    def excess(deviation: float) -> float:
        auroc = norm.cdf((SIGNAL + deviation * nodes) / np.sqrt(2))
        mean = weights @ auroc / weights.sum()
        return weights @ (auroc - mean) ** 2 / weights.sum() - ratio * np.var(values)

    return 0.0 if ratio == 0 else float(brentq(excess, 0, 2))


@dataclass(frozen=True)
class Study:
    """Two methods, each [S] scores and [S, R] replicates by patient; the first also by image where asked for.

    `held` is the fewest patients that hold a positive, or a negative; `held_by_image` the same of images.
    """

    held: int
    held_by_image: int
    first: tuple[np.ndarray, np.ndarray]
    second: tuple[np.ndarray, np.ndarray]
    first_by_image: np.ndarray | None


def study(
    rng: np.random.Generator, draws: int, deviation: float, shares: Shares, methods: int, by_image: bool = False
) -> Study:
    """Half of a draw's signal variance is common to the methods (the label subset), half is the method's own."""
    positive, common = labels(rng), effects(rng, shares.common)
    counts = draw_counts(rng, PATIENTS)
    subset = rng.normal(size=draws)
    found, images = [], None
    for _ in range(methods):
        own = common + effects(rng, shares.method)
        signals = SIGNAL + deviation * (subset + rng.normal(size=draws)) / np.sqrt(2)
        scores = np.array([signal * positive + own + effects(rng, shares.draw) for signal in signals])
        aurocs = replicated_auroc(scores, positive, counts, MEMBER)
        found.append((aurocs[:, 0], aurocs[:, 1:]))
        if by_image:
            drawn, each = draw_counts(rng, len(MEMBER)), np.arange(len(MEMBER))
            images = replicated_auroc(scores, positive, drawn, each)[:, 1:]
    held = min(len(np.unique(MEMBER[positive == value])) for value in (True, False))
    return Study(held, min(positive.sum(), (~positive).sum()), found[0], found[-1], images)


def estimate_of(scores: np.ndarray, replicates: np.ndarray, held: int, clusters: int) -> Estimate:
    error = of_macro(replicates.mean(axis=0)[:, None], np.array([held]), held, clusters)
    return of_score(mean_estimate(scores, replicates, error))


def inside(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


def test_replicates_of_the_simulation_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    positive, counts = labels(rng), draw_counts(rng, PATIENTS)
    scores = positive + effects(rng, (0.5, 0.5))
    found = replicated_auroc(scores[None], positive, counts, MEMBER)[0]
    expected = [roc_auc_score(positive, scores)]
    expected += [roc_auc_score(positive, scores, sample_weight=row[MEMBER]) for row in counts[:20]]
    np.testing.assert_allclose(found[:21], expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("draws", [3, 5])
@pytest.mark.parametrize("ratio", [0, 1, 4])
def test_an_interval_holds_the_truth(ratio: float, draws: int, record_property: Callable[[str, object], None]) -> None:
    rng = np.random.default_rng([3, ratio, draws])
    deviation = signal_deviation(ratio, USUAL)
    truth = float(norm.cdf(SIGNAL / np.sqrt(2 + deviation**2)))
    by_image = ratio == 0 and draws == 3
    rule, percentile, images = [], [], []
    for _ in range(RUNS):
        made = study(rng, draws, deviation, USUAL, methods=1, by_image=by_image)
        scores, replicates = made.first
        rule.append(inside(estimate_of(scores, replicates, made.held, PATIENTS), truth))
        low, high = np.quantile(replicates.mean(axis=0), [0.025, 0.975])
        percentile.append(low <= truth <= high)
        if made.first_by_image is not None:
            images.append(inside(estimate_of(scores, made.first_by_image, made.held_by_image, len(MEMBER)), truth))
    found = {"rule": rule, "percentile bootstrap without draws": percentile, "image bootstrap": images}
    rates = {name: float(np.mean(hits)) for name, hits in found.items() if hits}
    print(f"\nratio {ratio}, {draws} draws, draw deviation {deviation:.3f}: {rates}")
    record_property("coverage", rates)
    assert 0.93 <= rates["rule"] <= 0.97
    if by_image:
        assert rates["image bootstrap"] < 0.93
    if ratio == 4 or (ratio == 1 and draws == 3):
        assert rates["percentile bootstrap without draws"] < 0.93


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draws", "ratio", "shares", "lowest"),
    [(5, 1, USUAL, 0.03), (3, 0, USUAL, 0.03), (3, 1, RESTLESS, 0.005)],
    ids=["five-draws", "three-draws", "draws-that-disagree-on-cases"],
)
def test_equal_methods_are_called_different_in_five_of_a_hundred_studies(
    draws: int, ratio: float, shares: Shares, lowest: float, record_property: Callable[[str, object], None]
) -> None:
    rng = np.random.default_rng([4, draws, ratio])
    deviation = signal_deviation(ratio, shares)
    false: dict[bool, list[bool]] = {True: [], False: []}
    for _ in range(2 * RUNS):
        made = study(rng, draws, deviation, shares, methods=2)
        for paired, called in false.items():
            by_class = made.first[1].mean(axis=0)[:, None] - made.second[1].mean(axis=0)[:, None]
            error = of_macro(by_class, np.array([made.held]), made.held, PATIENTS, "difference")
            found = difference_estimate(*made.first, *made.second, error, paired_draws=paired)
            called.append(found.p_value < 0.05)
    rates = {paired: float(np.mean(called)) for paired, called in false.items()}
    print(f"\nratio {ratio}, {draws} draws: false positives {rates[True]}, as if draws were independent {rates[False]}")
    record_property("false positives", rates)
    assert lowest <= rates[True] <= 0.07
    assert rates[False] <= 0.07

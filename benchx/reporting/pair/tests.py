"""Two methods in one column by every test: the difference, its interval and p value, and what each rests on.

A board uses one rule, t over patients and draws. The others here hold the draws fixed, and each assumes something else:
where they disagree, a conclusion hangs on the choice of the test. A test that cannot be made says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from benchx.reporting.pair.bootstrap import bca_test, percentile_test, stratified_test
from benchx.reporting.pair.sides import ROUNDING, Pairing, PairTest, Side, unvarying
from benchx.statistics.auroc_permutation import auroc_permutation
from benchx.statistics.delong import macro_delong
from benchx.statistics.multiplicity import holm
from benchx.statistics.paired_tests import cluster_numbers, mcnemar, swap_permutation, wilcoxon_signed_rank
from benchx.statistics.power import equivalence
from benchx.statistics.resampling import values_held
from benchx.tasks.measures import ratio
from benchx.tasks.operating_points import calls
from benchx.words import plural

SPECIFICITY = 0.9
"""Of the calls that McNemar's test compares."""

PERMUTATIONS = 2000

_FEW_PERMUTATIONS = 500
"""Where `PERMUTATIONS` would take minutes."""

_MOST_WORK = 2 * 10**10
"""Permutations x cases x classes x draws: about half a minute. NIH's test set with five draws is a fifth of it."""


def t_test(pair: Pairing) -> PairTest:
    """Return the board's row: the variance of test cases and of draws, t quantiles."""
    name, estimate = "t (the board's)", pair.estimate
    if estimate.se == 0:
        return PairTest(name, reason=unvarying(pair))
    drawn = "draws fixed" if estimate.draw_variance is None else f"draws vary too; {estimate.df:.3g} df"
    basis = f"resamples {pair.units}, {drawn}"
    return PairTest(name, estimate.value, estimate.low, estimate.high, estimate.p_value, pair.size, None, basis)


def delong_row(pair: Pairing) -> PairTest:
    """Return DeLong's test of the macro AUROCs, clusters as Obuchowski has them, influences averaged over draws."""
    name, fewest = "DeLong (Obuchowski)", _fewest_holders(pair)
    if fewest[0] < 2:
        return PairTest(name, reason=f"{fewest[1]}: all {fewest[2]} in one {pair.unit}")
    found = macro_delong(pair.a.scores, pair.b.scores, pair.labels, pair.clusters, pair.estimate.level)
    if found.high - found.low <= ROUNDING:
        return PairTest(name, reason=unvarying(pair))
    basis = f"{pair.units} vary, draws fixed; normal (fewest: {fewest[0]} with {fewest[2]} of {fewest[1]})"
    return PairTest(name, found.difference, found.low, found.high, found.p_value, pair.size, None, basis)


def permutation_test(pair: Pairing) -> PairTest:
    """Return the permutation of ranks, draws of a cluster exchanged together."""
    name = "permutation"
    shared = _shared(pair)
    if not shared:
        return PairTest(name, reason="no draw in common, and exchanges are made draw by draw")
    a, b = (side.scores[[side.draws.index(draw) for draw in shared]] for side in (pair.a, pair.b))
    permutations = PERMUTATIONS if PERMUTATIONS * a.size <= _MOST_WORK else _FEW_PERMUTATIONS
    found = auroc_permutation(a, b, pair.labels, pair.clusters, permutations, pair.seed)
    if not found.n:
        exchanged = replace(pair, a=replace(pair.a, scores=a), b=replace(pair.b, scores=b))
        return PairTest(name, reason=unvarying(exchanged))
    all_of_both = len(shared) == len(pair.a.draws) == len(pair.b.draws)
    of_draws = "" if all_of_both else f" of draws {', '.join(shared)} only"
    basis = f"exchanges ranks by {pair.unit}{of_draws}; at most {permutations}; smallest p {found.smallest_p:.2g}"
    return PairTest(name, found.statistic, None, None, found.p_value, found.n, found.smallest_p, basis)


def mcnemar_row(pair: Pairing) -> PairTest:
    """Return McNemar's test of the class that differs most: right calls at a specificity of 0.9, Holm over classes.

    Every class has its own calls, so each is tested, and the smallest corrected p value stands for "some class
    differs". It is of one draw, the first that both have: calls of several draws are no independent cases.
    """
    name = "McNemar"
    shared = _shared(pair)
    if not shared:
        return PairTest(name, reason="no draw in common")
    right = [_right(side, side.draws.index(shared[0]), pair) for side in (pair.a, pair.b)]
    known = ~np.isnan(right[0]) & ~np.isnan(right[1])
    tested = np.flatnonzero(known.any(axis=0))
    if not len(tested):
        return PairTest(name, reason="no thresholds stored")
    repeated = pair.size < len(pair.clusters)
    clusters = np.array(pair.clusters)
    found = []
    for column in tested:
        rows = known[:, column]
        names = clusters[rows].tolist() if repeated else None
        found.append(mcnemar(right[0][rows, column], right[1][rows, column], names))
    if not any(one.n for one in found):
        return PairTest(name, reason="both are right and wrong on the same cases")
    p_values = np.array([one.p_value for one in found])
    least = int(p_values.argmin())
    rows = known[:, tested[least]]
    gap = float((right[0][rows, tested[least]] - right[1][rows, tested[least]]).mean())
    rule = f"clustered by {pair.unit}, asymptotic" if repeated else "exact"
    basis = (
        f"share of right calls at specificity {SPECIFICITY:g}, draw {shared[0]}, {pair.classes[tested[least]]}: "
        f"smallest of {plural(len(tested), 'class', 'classes')} (Holm); {rule}"
    )
    smallest = min(1.0, found[least].smallest_p * len(tested))
    return PairTest(name, gap, None, None, float(holm(p_values)[least]), found[least].n, smallest, basis)


def equivalence_test(pair: Pairing, margin: float) -> PairTest:
    """Return two one-sided tests by the board's rule; the interval is that of level 1 - 2 alpha."""
    name = "equivalence (TOST)"
    if pair.estimate.se == 0:
        return PairTest(name, reason=unvarying(pair))
    found = equivalence(pair.estimate, margin, 1 - pair.estimate.level)
    narrow = pair.narrower
    p_value = max(found.p_lower, found.p_upper)
    verdict = "equivalent" if found.equivalent else "not shown equivalent"
    basis = f"as t, within {margin:g}: {verdict}; interval of {100 * narrow.level:.3g} %"
    return PairTest(name, narrow.value, narrow.low, narrow.high, p_value, pair.size, None, basis)


def exchange_test(pair: Pairing) -> PairTest:
    """Return the permutation of a measure: what two methods do on a cluster is exchanged, draws of it together."""
    name, measure = "permutation", pair.measure
    assert measure is not None
    shared = _shared(pair)
    if not shared:
        return PairTest(name, reason="no draw in common, and exchanges are made draw by draw")
    names, member = np.unique(pair.clusters, return_inverse=True)
    a, b = (
        _by_cluster(side.scores[[side.draws.index(draw) for draw in shared]], member, len(names))
        for side in (pair.a, pair.b)
    )
    found = swap_permutation(
        lambda sums: float(measure.of_sums(sums.sum(axis=0)).mean()), a, b, None, PERMUTATIONS, pair.seed
    )
    if not found.n:
        return PairTest(name, reason=unvarying(pair))
    all_of_both = len(shared) == len(pair.a.draws) == len(pair.b.draws)
    of_draws = "" if all_of_both else f" of draws {', '.join(shared)} only"
    basis = f"exchanges cases by {pair.unit}{of_draws}; at most {PERMUTATIONS}; smallest p {found.smallest_p:.2g}"
    return PairTest(name, found.statistic, None, None, found.p_value, found.n, found.smallest_p, basis)


def wilcoxon_row(pair: Pairing) -> PairTest:
    """Return Wilcoxon's signed-rank test of a mean over cases: every case averaged over draws, then every cluster."""
    name = "Wilcoxon"
    if pair.measure is None or pair.measure.of_sums is not ratio:
        return PairTest(name, reason="the score is no mean over cases")
    a, b = (side.scores.sum(axis=0) / len(side.draws) for side in (pair.a, pair.b))
    counting = (a[:, 1] > 0) & (b[:, 1] > 0)
    of_a, of_b = (side[counting, 0] / side[counting, 1] for side in (a, b))
    clusters = np.array(pair.clusters)[counting].tolist()
    found = wilcoxon_signed_rank(of_a, of_b, clusters)
    if not found.n:
        return PairTest(name, reason=unvarying(pair))
    basis = f"ranks of the differences of {pair.units}, draws averaged; normal or exact"
    return PairTest(name, float(np.mean(of_a - of_b)), None, None, found.p_value, found.n, found.smallest_p, basis)


MEASURE_TESTS: tuple[Callable[[Pairing], PairTest], ...] = (
    t_test,
    percentile_test,
    bca_test,
    exchange_test,
    wilcoxon_row,
)
"""Of a score that follows from sums over cases."""

TESTS: tuple[Callable[[Pairing], PairTest], ...] = (
    t_test,
    percentile_test,
    bca_test,
    stratified_test,
    delong_row,
    permutation_test,
    mcnemar_row,
)


def _by_cluster(terms: np.ndarray, member: np.ndarray, clusters: int) -> np.ndarray:
    """Sum terms [S, N, M] over the cases of every cluster: [K, S, M]."""
    sums = np.zeros((clusters, terms.shape[0], terms.shape[2]))
    np.add.at(sums, member, np.moveaxis(terms, 0, 1))
    return sums


def _fewest_holders(pair: Pairing) -> tuple[int, str, str]:
    """Return how many clusters hold the value that fewest hold, its class, and `positives` or `negatives`."""
    held = values_held(pair.labels, cluster_numbers(pair.clusters, len(pair.labels))).sum(axis=0)
    return min(
        (int(count), name, kind)
        for counts, kind in zip(held, ("positives", "negatives"), strict=True)
        for count, name in zip(counts, pair.classes, strict=True)
    )


def _shared(pair: Pairing) -> Sequence[str]:
    return [draw for draw in pair.a.draws if draw in pair.b.draws]


def _right(side: Side, draw: int, pair: Pairing) -> np.ndarray:
    """Return [N, C] whether a draw's calls are right; NaN where a label or a threshold is unknown."""
    called = calls(side.tables[draw], side.details[draw], SPECIFICITY)[:, pair.places]
    return np.where(np.isnan(called) | np.isnan(pair.labels), np.nan, called == pair.labels)

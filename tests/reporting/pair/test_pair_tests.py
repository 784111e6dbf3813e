"""The tests of a pair against the statistics called directly, and whether they agree."""

from __future__ import annotations

import numpy as np
import pytest
from made_stores import made_store
from paired_stores import (
    CASES_ONLY,
    SKILLS,
    SUITE,
    compared,
    draws_of,
    rows_of,
    stacked,
)
from sklearn.metrics import roc_auc_score

from benchx.digests import fraction_of_hash
from benchx.reporting.building.draws import DrawsByCases
from benchx.reporting.building.leaderboard import Rules, build_board
from benchx.reporting.pair.columns import ComparedPair, PairColumn
from benchx.statistics.auroc_permutation import auroc_permutation
from benchx.statistics.bootstrap import bca_interval, macro_auroc_replicates
from benchx.statistics.delong import macro_delong
from benchx.statistics.power import equivalence
from benchx.statistics.resampling import draw_clusters, leave_out


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made_store(tmp_path_factory.mktemp("pair"), SKILLS, patients=80, spread=0.02)


@pytest.fixture(scope="module")
def clear(store):
    return compared(store)


@pytest.fixture(scope="module")
def null(store):
    return compared(store, "gloria", "random-resnet50")


def rsna(pair: ComparedPair) -> PairColumn:
    return next(one for one in pair.columns if (one.dataset, one.fraction) == ("rsna", 0.1))


def test_every_column_has_every_test_and_t_is_the_boards_difference(store, clear):
    board = build_board(SUITE, [store], Rules(replicates=300), lambda card: None, lambda done, total: None)
    assert len(clear.columns) == len(board.columns) == 6
    for ours, theirs in zip(clear.columns, board.columns, strict=True):
        (expected,) = (one.difference for one in theirs.pairs if (one.a, one.b) == ("mrm", "gloria"))
        t = ours.tests[0]
        assert (t.difference, t.low, t.high, t.p_value) == pytest.approx(
            (expected.value, expected.low, expected.high, expected.p_value), rel=1e-9
        )
        assert (ours.a, ours.b) == (theirs.row("mrm").score.value, theirs.row("gloria").score.value)
        assert [one.test for one in ours.tests] == [
            "t (the board's)",
            *CASES_ONLY,
            "McNemar",
            "equivalence (TOST)",
        ]
        assert all(one.difference == pytest.approx(ours.a - ours.b) for one in ours.tests if not one.reason)


def test_a_clear_difference_is_found_by_every_test(clear):
    for column in clear.columns:
        for name in CASES_ONLY:
            one = rows_of(column)[name]
            assert one.p_value <= max(0.02, one.smallest_p or 0), (column.name, one)
            assert one.low is None or one.low > 0


def test_under_the_null_all_rows_of_the_cases_agree_within_a_factor(null):
    for column in null.columns:
        p = np.array([rows_of(column)[name].p_value for name in CASES_ONLY])
        assert p.max() / p.min() < 2.5 or p.max() < 0.05, (column.name, p)
        lows = [rows_of(column)[name].low for name in CASES_ONLY[:-1]]
        assert np.ptp(lows) < 0.3 * (rows_of(column)["percentile"].high - rows_of(column)["percentile"].low)
    whole = [rows_of(column) for column in null.columns if column.fraction == 1]
    for one in whole:  # nothing is drawn, so t too varies the cases alone
        assert one["t (the board's)"].p_value == pytest.approx(one["DeLong (Obuchowski)"].p_value, abs=0.1)


def test_percentile_is_that_of_scikit_learn_on_the_boards_replicates(store, clear):
    a, b = (draws_of(store, name) for name in ("mrm", "gloria"))
    draws = DrawsByCases(300).of("rsna", "classification", a[0])
    gaps = []
    for replicate in range(300):
        weights = draws.weights(replicate)
        macro = [
            roc_auc_score(table["label:Pneumonia"], table["score:Pneumonia"], sample_weight=weights)
            for table in (*a, *b)
        ]
        gaps.append(np.mean(macro[: len(a)]) - np.mean(macro[len(a) :]))
    found = rows_of(rsna(clear))["percentile"]
    np.testing.assert_allclose([found.low, found.high], np.quantile(gaps, [0.025, 0.975]), atol=1e-9)
    assert found.n == 80
    assert found.smallest_p == 2 / 301


def test_bootstrap_p_values_are_where_the_interval_ends_at_zero(store, null):
    """Percentile: twice the smaller share of replicates beyond 0, up to one replicate; BCa: one end at 0."""
    a, b = (stacked(draws_of(store, name)) for name in ("gloria", "random-resnet50"))
    tables = draws_of(store, "gloria")
    draws, left = DrawsByCases(300).of("rsna", "classification", tables[0]), leave_out(tables[0]["cluster"].tolist())
    labels = a[1]

    def gap(which):
        of_a, of_b = (
            np.mean([macro_auroc_replicates(one, labels, which) for one in scores], axis=0) for scores, _ in (a, b)
        )
        return of_a - of_b

    replicates, found = gap(draws), rows_of(rsna(null))
    share = min(np.mean(replicates < 0), np.mean(replicates > 0))
    assert found["percentile"].p_value == pytest.approx(2 * share, abs=2.5 / 300)
    bca = found["BCa"]
    ends = bca_interval(replicates, bca.difference, gap(left), 0.95)
    assert (bca.low, bca.high) == pytest.approx(ends, abs=1e-12)
    nearest = min(abs(np.array(bca_interval(replicates, bca.difference, gap(left), 1 - bca.p_value))))
    assert nearest < 0.01 * (bca.high - bca.low)


def test_stratified_holds_the_patients_of_the_class_that_makes_the_strata(store, clear):
    """The percentiles of draws within strata, in which the number of positive patients never changes."""
    (a, labels), (b, _) = (stacked(draws_of(store, name)) for name in ("mrm", "gloria"))
    clusters = draws_of(store, "mrm")[0]["cluster"].tolist()
    draws = draw_clusters(clusters, 300, int(fraction_of_hash("pair", "rsna") * 2**53), labels, stratified=True)
    positive = np.unique(draws.member[labels[:, 0] == 1])
    assert set(draws.counts[:, positive].sum(axis=1)) == {len(positive)}
    of_a, of_b = (np.mean([macro_auroc_replicates(one, labels, draws) for one in scores], axis=0) for scores in (a, b))
    found = rows_of(rsna(clear))["stratified percentile"]
    assert (found.low, found.high) == pytest.approx(np.quantile(of_a - of_b, [0.025, 0.975]), abs=1e-12)
    assert "within 3 strata by Pneumonia" in found.basis


def test_delong_and_permutation_are_the_functions_on_all_draws(store, clear):
    (a, labels), (b, _) = (stacked(draws_of(store, name)) for name in ("mrm", "gloria"))
    clusters = draws_of(store, "mrm")[0]["cluster"].tolist()
    found, expected = rows_of(rsna(clear)), macro_delong(a, b, labels, clusters)
    delong = found["DeLong (Obuchowski)"]
    assert (delong.difference, delong.low, delong.high, delong.p_value) == pytest.approx(
        (expected.difference, expected.low, expected.high, expected.p_value), rel=1e-12
    )
    assert "with positives of Pneumonia" in delong.basis or "with negatives of Pneumonia" in delong.basis
    swapped = found["permutation"]
    again = auroc_permutation(a, b, labels, clusters, 2000, 12345)
    assert (swapped.difference, swapped.n, swapped.smallest_p) == (again.statistic, again.n, again.smallest_p)
    assert swapped.p_value == pytest.approx(again.p_value, rel=1, abs=0.001)  # other random exchanges


def test_exchanging_the_methods_turns_every_sign(store, null):
    turned = compared(store, "random-resnet50", "gloria")
    for one, other in zip(null.columns, turned.columns, strict=True):
        for test, back in zip(one.tests, other.tests, strict=True):
            assert test.reason == back.reason
            if not test.reason:
                assert back.difference == pytest.approx(-test.difference, abs=1e-12)
                assert back.p_value == pytest.approx(test.p_value, abs=0.01)
            if test.low is not None:
                assert (back.low, back.high) == pytest.approx((-test.high, -test.low), abs=1e-9)


def test_equivalence_is_the_boards_with_the_interval_that_decides_it(store, null):
    board = build_board(SUITE, [store], Rules(replicates=300), lambda card: None, lambda done, total: None)
    for ours, theirs in zip(null.columns, board.columns, strict=True):
        (pair,) = (one for one in theirs.pairs if {one.a, one.b} == {"gloria", "random-resnet50"})
        found, expected = rows_of(ours)["equivalence (TOST)"], equivalence(pair.difference, 0.05)
        assert found.p_value == pytest.approx(max(expected.p_lower, expected.p_upper), rel=1e-9)
        inside = found.low > -0.05 and found.high < 0.05
        assert inside == expected.equivalent == (": equivalent" in found.basis)
    assert "equivalence (TOST)" not in rows_of(compared(store, rules=Rules(replicates=300)).columns[0])

"""Which clusters replicates hold: drawn whole, reproducibly, with every value of every scorable class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chisquare, skew

from benchx.statistics.resampling import _counted, _lacks_a_value, draw_clusters, leave_out

NAN = float("nan")


def rare_labels(cases: int = 30) -> np.ndarray:
    """Two classes; one case holds the only positive of the first: a third of the plain draws lack it."""
    labels = np.zeros((cases, 2))
    labels[4, 0] = 1
    return labels


def names(count: int) -> list[str]:
    return [f"p{number:05d}" for number in range(count)]


def test_patients_are_drawn_whole_and_as_many_as_there_are() -> None:
    draws = draw_clusters(["b", "a", "b", "c", "a", "b"], 500, seed=0)
    np.testing.assert_array_equal(draws.member, [1, 0, 1, 2, 0, 1])
    assert draws.counts.dtype == np.uint8
    assert draws.counts.shape == (500, 3)
    assert (draws.counts.sum(axis=1) == 3).all()
    np.testing.assert_array_equal(draws.weights(7), draws.counts[7][draws.member])
    assert draws.weights(7).dtype == np.int64


def test_every_cluster_is_as_likely_as_any_other_and_counts_are_binomial() -> None:
    counts = draw_clusters(names(20), 5000, seed=1).counts
    assert chisquare(counts.sum(axis=0)).pvalue > 1e-3
    seen = np.bincount(counts[:, 0], minlength=5)[:5]
    assert chisquare(seen, binom.pmf(range(5), 20, 1 / 20) * seen.sum() / binom.cdf(4, 20, 1 / 20)).pvalue > 1e-3


@pytest.mark.parametrize("stratified", [False, True])
def test_the_same_seed_gives_the_same_draws_and_more_replicates_only_add(stratified: bool) -> None:
    labels = rare_labels()
    many = draw_clusters(names(30), 300, 5, labels, stratified=stratified)
    for count in (1, 10, 63, 64, 65, 200):
        few = draw_clusters(names(30), count, 5, labels, stratified=stratified)
        np.testing.assert_array_equal(few.counts, many.counts[:count])
    other = draw_clusters(names(30), 300, 6, labels, stratified=stratified)
    assert not np.array_equal(other.counts, many.counts)


def test_the_order_of_the_cases_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    clusters = [f"p{number}" for number in rng.integers(0, 25, 60)]
    labels = (rng.random((60, 3)) < [0.02, 0.1, 0.5]).astype(float)
    mixed = rng.permutation(60)
    draws = draw_clusters(clusters, 100, 3, labels)
    other = draw_clusters([clusters[case] for case in mixed], 100, 3, labels[mixed])
    assert draws.redrawn == other.redrawn > 0
    for replicate in range(100):
        np.testing.assert_array_equal(draws.weights(replicate)[mixed], other.weights(replicate))


def test_a_replicate_that_lacks_a_class_is_drawn_again_and_counted() -> None:
    plain, kept = draw_clusters(names(30), 2000, 7), draw_clusters(names(30), 2000, 7, rare_labels())
    lacking = plain.counts[:, 4] == 0
    assert (plain.redrawn, kept.redrawn) == (0, lacking.sum())
    assert kept.redrawn == pytest.approx(2000 * (29 / 30) ** 30, abs=4 * np.sqrt(2000 * 0.36 * 0.64))
    np.testing.assert_array_equal(kept.counts[~lacking], plain.counts[~lacking])
    assert (kept.counts[:, 4] > 0).all()
    assert (kept.counts.sum(axis=1) == 30).all()


def test_redrawn_replicates_are_plain_draws_given_that_they_hold_every_value() -> None:
    """The rare clusters are drawn first, so their counts are compared with the binomial cut off at zero."""
    counts = draw_clusters(names(30), 6000, 8, rare_labels()).counts
    expected = binom.pmf(range(1, 5), 30, 1 / 30) / binom.sf(0, 30, 1 / 30)
    seen = np.bincount(counts[:, 4], minlength=5)[1:5]
    assert chisquare(seen, expected * seen.sum() / expected.sum()).pvalue > 1e-3
    assert chisquare(np.delete(counts, 4, axis=1).sum(axis=0)).pvalue > 1e-3


def test_a_value_lacking_from_one_class_in_many_is_seen() -> None:
    """Against a plain look at the labels of all cases drawn, with classes from rare to common and unknown labels."""
    rng = np.random.default_rng(9)
    clusters = [f"p{number}" for number in rng.integers(0, 80, 150)]
    labels = (rng.random((150, 6)) < np.geomspace(0.01, 0.9, 6)).astype(float)
    labels[rng.random(labels.shape) < 0.3] = NAN
    labels[:, 5] = 1  # not scorable, so nothing can lack
    scorable = [c for c in range(6) if {0, 1} <= set(labels[:, c])]
    plain, kept = draw_clusters(clusters, 400, 1), draw_clusters(clusters, 400, 1, labels)
    lacking = [
        any(not (labels[plain.weights(r) > 0, c] == value).any() for c in scorable for value in (0, 1))
        for r in range(400)
    ]
    assert 0 < kept.redrawn == sum(lacking) < 400
    for replicate in range(400):
        chosen = labels[kept.weights(replicate) > 0]
        assert all((chosen[:, c] == value).any() for c in scorable for value in (0, 1))


def test_a_value_that_many_clusters_hold_is_looked_for_in_all_of_them() -> None:
    counts = np.zeros((3, 40), np.uint8)
    counts[0, 37], counts[1, 39], counts[2, 1] = 1, 1, 1
    found = _lacks_a_value(counts, [np.arange(39), np.array([1, 37])])
    np.testing.assert_array_equal(found, [False, True, False])


def test_what_plain_draws_never_hold_is_drawn_within_strata() -> None:
    # fourteen classes, each with its only positive in another of fourteen patients: 14! / 14^14 of the draws
    found = draw_clusters(names(14), 3, 8, np.eye(14))
    assert found.redrawn == 3
    np.testing.assert_array_equal(found.counts, np.ones((3, 14)))


def test_strata_keep_the_number_of_clusters_that_hold_the_same_values() -> None:
    labels = np.zeros((40, 2))
    labels[:6, 0], labels[4:15, 1], labels[30:, 1] = 1, 1, NAN
    draws = draw_clusters(names(40), 2000, 0, labels, stratified=True)
    strata = [range(4), range(4, 6), range(6, 15), range(15, 30), range(30, 40)]
    for rows in strata:
        assert (draws.counts[:, rows].sum(axis=1) == len(rows)).all()
        assert chisquare(draws.counts[:, rows].sum(axis=0)).pvalue > 1e-3
    assert draws.redrawn == 0


@given(
    members=st.lists(st.integers(0, 6), min_size=2, max_size=25).filter(lambda numbers: len(set(numbers)) > 1),
    seed=st.integers(0, 2**32),
    stratified=st.booleans(),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_any_labels_get_replicates_that_hold_every_value(
    members: list[int], seed: int, stratified: bool, data: st.DataObject
) -> None:
    values = st.lists(st.sampled_from([0.0, 1.0, NAN]), min_size=2, max_size=2)
    labels = np.array(data.draw(st.lists(values, min_size=len(members), max_size=len(members))))
    draws = draw_clusters([str(m) for m in members], 5, seed, labels, stratified=stratified)
    assert (draws.counts.sum(axis=1) == len(set(members))).all()
    for column in labels.T:
        if {0, 1} <= set(column):
            for replicate in range(5):
                assert {0, 1} <= set(column[draws.weights(replicate) > 0])


def test_jackknife_leaves_out_each_cluster_once() -> None:
    draws = leave_out(["b", "a", "b", "c"])
    np.testing.assert_array_equal(draws.counts, 1 - np.eye(3))
    np.testing.assert_array_equal([draws.weights(g) for g in range(3)], [[1, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 0]])


def test_above_the_limit_groups_are_left_out_and_every_cluster_is_in_one() -> None:
    draws = leave_out(names(2503), groups=100)
    assert draws.counts.shape == (100, 2503)
    np.testing.assert_array_equal((draws.counts == 0).sum(axis=0), np.ones(2503))
    assert set((draws.counts == 0).sum(axis=1)) == {25, 26}


def test_groups_keep_the_acceleration_in_expectation() -> None:
    """For a mean the acceleration is the skewness over six times the root of n; 200 samples of 1000 values."""
    rng = np.random.default_rng(10)
    whole: list[float] = []
    grouped: list[float] = []
    left = {groups: leave_out(names(1000), groups).counts.astype(float) for groups in (1000, 100)}
    kept = {groups: counts.sum(axis=1) for groups, counts in left.items()}
    for _ in range(200):
        values = rng.gamma(4.0, size=1000)
        for groups, found in ((1000, whole), (100, grouped)):
            influence = -(left[groups] @ values) / kept[groups]
            influence -= influence.mean()
            found.append((influence**3).sum() / (6 * (influence**2).sum() ** 1.5))
        assert whole[-1] == pytest.approx(skew(values) / (6 * np.sqrt(1000)), rel=1e-6)
    error = np.std(np.subtract(grouped, whole)) / np.sqrt(200)
    assert np.mean(grouped) == pytest.approx(np.mean(whole), abs=4 * error)
    assert np.mean(whole) > 15 * error


def test_what_cannot_be_drawn_is_refused() -> None:
    for clusters in ([], ["only"] * 20):
        with pytest.raises(ValueError, match="two clusters"):
            draw_clusters(clusters, 10, 0)
        with pytest.raises(ValueError, match="two clusters"):
            leave_out(clusters)
    with pytest.raises(ValueError, match="2 clusters for 3 cases"):
        draw_clusters(["a", "b"], 10, 0, np.zeros((3, 1)))
    with pytest.raises(ValueError, match="made from labels"):
        draw_clusters(["a", "b"], 10, 0, stratified=True)
    with pytest.raises(ValueError, match="two groups"):
        leave_out(["a", "b"], groups=1)
    np.testing.assert_array_equal(_counted(np.zeros(255, int), 2), [255, 0])
    with pytest.raises(ValueError, match="drawn 256 times"):
        _counted(np.zeros(256, int), 2)

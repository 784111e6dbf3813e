"""Subgroups against scikit-learn on weighted cases, their pairs against statsmodels' Holm, and who is compared."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from benchx.statistics.case_error import holders, of_macro, pool
from benchx.statistics.resampling import draw_clusters
from benchx.statistics.subgroups import subgroup_scores
from benchx.statistics.variance import difference_estimate, mean_estimate

NAN = float("nan")
PATIENTS = 60


def make(seed: int = 0, signal=(1.0, 1.0, 1.0), number: int = 2):
    """Draws of scores of two classes on three images per patient, and views that a patient mixes.

    Args:
        signal: by view PA, AP, LATERAL.
    """
    rng = np.random.default_rng(seed)
    views = rng.choice(["PA", "AP", "LATERAL"], 3 * PATIENTS).astype(object)
    labels = (rng.random((3 * PATIENTS, 2)) < 0.4).astype(float)
    strength = np.select([views == "PA", views == "AP"], signal[:2], signal[2])[:, None]
    per_draw = [(np.round(rng.normal(size=labels.shape) + strength * labels, 1), labels) for _ in range(number)]
    views[rng.random(len(views)) < 0.1] = None
    return per_draw, views, np.repeat([f"p{number:03d}" for number in range(PATIENTS)], 3)


def reference(per_draw, rows, columns, draws):
    """AUROCs [S, C] of some cases and their replicates [S, R, C], by scikit-learn on weighted cases."""

    def each(scores, labels, weights):
        return [roc_auc_score(labels[rows, c], scores[rows, c], sample_weight=weights[rows]) for c in columns]

    ones = np.ones(len(per_draw[0][1]))
    scores = np.array([each(*case, ones) for case in per_draw])
    weights = [draws.weights(replicate) for replicate in range(len(draws.counts))]
    return scores, np.array([[each(*case, one) for one in weights] for case in per_draw])


def estimate_of(part, held, pooled, clusters):
    scores, replicates = part
    error = of_macro(replicates.mean(axis=0), held, pooled, clusters)
    return mean_estimate(scores.mean(axis=1), replicates.mean(axis=2), error)


def difference_of(a, b, held, pooled, clusters):
    error = of_macro(a[1].mean(axis=0) - b[1].mean(axis=0), held, pooled, clusters, "difference")
    sides = [side.mean(axis=-1) for side in (*a, *b)]
    return difference_estimate(*sides, error, paired_draws=True)


def assert_equal(found, expected):
    for field in ("value", "low", "high", "se", "df", "p_value"):
        assert getattr(found, field) == pytest.approx(getattr(expected, field), abs=1e-9), field


def test_subgroups_and_their_gap_share_the_draws_of_patients():
    per_draw, views, clusters = make(signal=(2.0, 1.0, 0.3))
    draws = draw_clusters(clusters, 70, 0, per_draw[0][1])
    found = subgroup_scores(per_draw, views, draws)
    names = ["AP", "LATERAL", "PA"]
    assert [one.name for one in found.subgroups] == names
    assert found.classes == (0, 1)
    parts, counts, means, held, pooled = {}, {}, {}, {}, {}
    for one in found.subgroups:
        rows = np.flatnonzero(views == one.name)
        counts[one.name] = len(set(clusters[rows]))
        assert (one.cases, one.clusters, one.reason) == (len(rows), counts[one.name], None)
        parts[one.name] = reference(per_draw, rows, (0, 1), draws)
        held[one.name] = holders(per_draw[0][1][rows], draws.member[rows])
        pooled[one.name] = pool(per_draw[0][1][rows], draws.member[rows])
        means[one.name] = estimate_of(parts[one.name], held[one.name], pooled[one.name], counts[one.name])
        assert_equal(one.estimate, means[one.name])
    order = sorted(names, key=lambda name: -means[name].value)
    pairs = {
        (a, b): difference_of(
            parts[a], parts[b], np.minimum(held[a], held[b]), min(pooled[a], pooled[b]), min(counts[a], counts[b])
        )
        for a, b in combinations(order, 2)
    }
    gap = found.gap
    assert (gap.best, gap.worst, gap.pairs) == (order[0], order[2], 3) == ("PA", "LATERAL", 3)
    assert_equal(gap.estimate, pairs["PA", "LATERAL"])
    corrected = multipletests([pair.p_value for pair in pairs.values()], method="holm")[1]
    assert gap.p_value == pytest.approx(corrected[list(pairs).index(("PA", "LATERAL"))], abs=1e-9)
    assert gap.p_any == pytest.approx(corrected.min(), abs=1e-9)
    assert gap.p_any < 0.001


def test_patients_in_both_subgroups_make_the_gap_narrower():
    """One half of the images copies the other: the gap is 0 in every replicate, however the patients are drawn."""
    per_draw, _, clusters = make()
    twice = [(np.tile(scores, (2, 1)), np.tile(labels, (2, 1))) for scores, labels in per_draw]
    sides = np.repeat(["a", "b"], 3 * PATIENTS).astype(object)
    found = subgroup_scores(twice, sides, draw_clusters(np.tile(clusters, 2), 50, 0))
    assert found.subgroups[0].estimate.se > 0.01
    assert (found.gap.estimate.value, found.gap.estimate.se, found.gap.p_any) == (0, 0, 1)


def test_scores_compare_over_the_classes_that_all_subgroups_have():
    per_draw, views, clusters = make()
    labels = per_draw[0][1]
    labels[views == "LATERAL", 1] = 0  # no lateral image shows the second class
    draws = draw_clusters(clusters, 30, 0, labels)
    found = subgroup_scores(per_draw, views, draws)
    assert found.classes == (0,)
    for one in found.subgroups:
        expected, _ = reference(per_draw, np.flatnonzero(views == one.name), (0,), draws)
        assert one.estimate.value == pytest.approx(expected.mean(), abs=1e-12)


def test_without_a_common_class_nothing_is_compared():
    per_draw, views, clusters = make()
    labels = per_draw[0][1]
    labels[views == "LATERAL", 1] = 0
    labels[views == "PA", 0] = NAN
    found = subgroup_scores(per_draw, views, draw_clusters(clusters, 30, 0))
    assert (found.classes, found.gap) == ((), None)
    assert {one.reason for one in found.subgroups} == {
        "too few: no class can be scored in every subgroup, or in enough replicates"
    }
    assert {one.estimate for one in found.subgroups} == {None}


def test_a_small_subgroup_is_listed_and_does_not_hold_up_the_others():
    per_draw, views, clusters = make()
    views[views == "LATERAL"] = "PA"
    views[:12] = "LATERAL"  # of four patients
    found = subgroup_scores(per_draw, views, draw_clusters(clusters, 30, 0))
    (small,) = [one for one in found.subgroups if one.name == "LATERAL"]
    assert (small.cases, small.clusters, small.estimate) == (12, 4, None)
    assert small.reason == "too few: no class with a positive in 5 clusters, and a negative in 5"
    assert {found.gap.best, found.gap.worst} == {"PA", "AP"}
    assert found.classes == (0, 1)


def test_one_subgroup_has_no_gap_and_none_has_nothing():
    per_draw, views, clusters = make()
    draws = draw_clusters(clusters, 30, 0)
    alone = subgroup_scores(per_draw, np.where(views == "PA", "PA", None), draws)
    assert [one.name for one in alone.subgroups if one.estimate] == ["PA"]
    assert alone.gap is None
    unknown = subgroup_scores(per_draw, np.full(len(views), None), draws)
    assert (unknown.subgroups, unknown.classes, unknown.gap) == ((), (), None)


def test_a_constant_prediction_has_no_gap_and_no_noise():
    per_draw, views, clusters = make()
    constant = [(np.zeros_like(labels), labels) for _, labels in per_draw]
    found = subgroup_scores(constant, views, draw_clusters(clusters, 30, 0))
    assert {(one.estimate.value, one.estimate.se) for one in found.subgroups} == {(0.5, 0)}
    assert (found.gap.estimate.value, found.gap.p_value, found.gap.p_any) == (0, 1, 1)


def test_replicates_that_lack_a_value_in_one_subgroup_are_left_out_for_all():
    per_draw, views, clusters = make()
    labels = per_draw[0][1]
    lateral = np.flatnonzero(views == "LATERAL")
    _, first = np.unique(clusters[lateral], return_index=True)
    labels[lateral, 0] = 0
    labels[lateral[first[:5]], 0] = 1
    one_class = [(scores[:, :1], labels[:, :1]) for scores, _ in per_draw]
    draws = draw_clusters(clusters, 60, 0)
    positive = draws.member[lateral[first[:5]]]
    draws.counts[:3, positive] = 0
    kept = draws.counts[:, positive].any(axis=1)
    assert kept.tolist() == [False] * 3 + [True] * 57
    found = subgroup_scores(one_class, views, draws)
    kept_draws = replace(draws, counts=draws.counts[kept])
    for one in found.subgroups:
        rows = np.flatnonzero(views == one.name)
        expected = reference(one_class, rows, (0,), kept_draws)
        held = holders(labels[rows, :1], draws.member[rows])
        assert_equal(one.estimate, estimate_of(expected, held, int(held[0]), one.clusters))
    lacking = subgroup_scores(one_class, views, replace(draws, counts=draws.counts[:3]))
    assert lacking.gap is None
    assert {one.reason for one in lacking.subgroups} == {
        "too few: no class can be scored in every subgroup, or in enough replicates"
    }


def test_bad_input_is_refused():
    per_draw, views, clusters = make()
    draws = draw_clusters(clusters, 5, 0)
    with pytest.raises(ValueError, match="179 subgroup values for 180 cases"):
        subgroup_scores(per_draw, views[:-1], draws)
    with pytest.raises(ValueError, match="same labels"):
        subgroup_scores([per_draw[0], (per_draw[1][0], 1 - per_draw[1][1])], views, draws)
    with pytest.raises(ValueError, match="NaN"):
        subgroup_scores([(np.full((180, 2), NAN), per_draw[0][1])], views, draws)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 3])
def test_equal_subgroups_are_told_apart_in_at_most_five_percent_of_tests(number):
    """600 test sets: 5 % with a Monte Carlo standard error of 0.9 %; four of them, and Holm is on the safe side."""
    false = 0
    for seed in range(600):
        per_draw, views, clusters = make(seed, number=number)
        draws = draw_clusters(clusters, 200, seed, per_draw[0][1])
        false += subgroup_scores(per_draw, views, draws).gap.p_any <= 0.05
    assert false / 600 <= 0.05 + 4 * 0.009

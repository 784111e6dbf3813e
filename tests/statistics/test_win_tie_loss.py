"""Verdicts, their p values and rates, against numpy written out."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, ks_2samp

from benchx.statistics.bootstrap import percentile_interval
from benchx.statistics.win_tie_loss import (
    MOST_KINDS,
    Rates,
    corrected,
    expected_false,
    mean_rates,
    multinomial_sums,
    percentile_p_value,
    rates,
    smallest_p_value,
    verdict,
)

VALUES = st.lists(st.integers(-3, 3) | st.floats(-1, 1, width=16), min_size=2, max_size=60)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.01, 0.2, "win"), (-0.2, -0.01, "loss"), (-0.1, 0.1, "tie"), (0.0, 0.1, "tie"), (-0.1, 0.0, "tie")],
)
def test_an_interval_that_touches_zero_is_a_tie(low, high, expected):
    assert verdict(low, high) == expected


@given(VALUES)
def test_the_p_value_is_where_the_interval_begins_to_hold_zero(values):
    """Just inside 1 - p the interval leaves 0 out, just outside it does not; between is one part in a million."""
    replicates = np.array(values, float)
    p = percentile_p_value(replicates)
    if p < 1 - 1e-6:
        wider = percentile_interval(replicates, 1 - p * (1 - 1e-6))
        assert smallest_p_value(len(replicates)) == p or verdict(*wider) == "tie"
        narrower = percentile_interval(replicates, 1 - min(p * (1 + 1e-6), 1 - 1e-9))
        assert verdict(*narrower) != "tie"


@given(VALUES)
def test_a_p_value_has_no_direction(values):
    assert percentile_p_value(-np.array(values, float)) == percentile_p_value(np.array(values, float))


def test_p_values_by_hand():
    assert percentile_p_value(np.zeros(9)) == 1
    assert percentile_p_value(np.full(9, 0.3)) == 2 / 10
    assert percentile_p_value(np.full(9, -0.3)) == 2 / 10
    # Quantiles at 0, 1/4, 1/2, 3/4, 1; zero lies halfway between the first two: one eighth, twice.
    assert percentile_p_value(np.array([3.0, -1, 1, 2, 4])) == pytest.approx(2 / 6)  # not below the smallest
    assert percentile_p_value(np.concatenate([[-1.0], np.arange(1, 101)])) == pytest.approx(2 / 102)
    assert percentile_p_value(np.concatenate([np.full(10, -1.0), np.full(91, 1.0)])) == pytest.approx(2 * 9.5 / 100)


@pytest.mark.parametrize("replicates", [[], [1.0], [1.0, np.nan], [np.inf, 0.0]])
def test_no_p_value_without_finite_replicates(replicates):
    with pytest.raises(ValueError, match="finite"):
        percentile_p_value(np.array(replicates))


def test_holm_leaves_what_is_sure_over_all_cells():
    found, adjusted = corrected(["win", "loss", "win", "tie"], [0.01, 0.013, 0.04, 0.5], 0.95)
    assert adjusted == pytest.approx([0.04, 0.04, 0.08, 0.5])  # 4 x .01, then max(.04, 3 x .013), 2 x .04
    assert found == ["win", "loss", "tie", "tie"]


def test_a_dataset_counts_once_however_many_cells_it_has():
    found = rates({"vqa": ["win"], "nih": ["tie", "tie", "loss", "tie"]})
    assert (found.win, found.tie, found.loss, found.cells) == (0.5, 0.375, 0.125, 5)
    other = Rates(0.0, 1.0, 0.0, 1)
    assert mean_rates([found, other]) == Rates(0.25, 0.6875, 0.0625, 6)


def test_rates_of_nothing_are_refused():
    for nothing in ({}, {"nih": []}):
        with pytest.raises(ValueError, match="every dataset"):
            rates(nothing)
    with pytest.raises(ValueError, match="needs a pair"):
        mean_rates([])


def test_half_of_what_the_level_leaves_out_is_expected_on_either_side():
    assert expected_false(0.95) == pytest.approx(0.025)


def resampled(terms, member, replicates, seed):
    """Cluster by cluster, with replacement, written out."""
    rng = np.random.default_rng(seed)
    clusters = [np.flatnonzero(member == one) for one in range(member.max() + 1)]
    return np.array(
        [
            sum(terms[clusters[one]].sum(axis=0) for one in rng.integers(0, len(clusters), len(clusters)))
            for _ in range(replicates)
        ]
    )


def test_drawing_kinds_has_the_law_of_drawing_clusters():
    """Of 3 clusters every outcome is known: all 27 samples are equally likely."""
    terms, member = np.array([[1.0, 0], [0, 1], [1, 0], [0, 1]]), np.array([0, 1, 2, 2])
    sums = np.array([[1.0, 0], [0, 1], [1, 1]])
    exact = Counter(tuple(sums[list(some)].sum(axis=0)) for some in np.ndindex(3, 3, 3))
    drawn = Counter(map(tuple, multinomial_sums(terms, member, 27_000, 1)))
    assert set(drawn) == set(exact)
    table = np.array([[drawn[one] / 1000, exact[one]] for one in exact]).T
    deviation = ((table[0] - table[1]) ** 2 / table[1]).sum() * 1000
    assert deviation < 30  # chi-squared of 9 degrees of freedom: beyond 30 in 1 of 2000


def test_drawing_kinds_of_answers_has_the_law_of_drawing_questions():
    rng = np.random.default_rng(0)
    answers = rng.integers(0, 2, (120, 2)).astype(float)
    single = np.arange(120)
    kinds, questions = multinomial_sums(answers, single, 4000, 3), resampled(answers, single, 4000, 4)
    gaps = [one[:, 0] - one[:, 1] for one in (kinds, questions)]
    assert chi2_contingency([np.histogram(gap, bins=[-99, -6, -2, 1, 4, 9, 99])[0] for gap in gaps]).pvalue > 1e-3
    assert np.cov(kinds.T) == pytest.approx(np.cov(questions.T), rel=0.12, abs=1.2)


def test_images_with_several_questions_are_drawn_whole():
    rng = np.random.default_rng(1)
    member = np.repeat(np.arange(40), 3)
    answers = np.repeat(rng.integers(0, 2, (40, 2)), 3, axis=0).astype(float)
    kinds, images = multinomial_sums(answers, member, 3000, 5), resampled(answers, member, 3000, 6)
    assert set(np.unique(kinds % 3)) == {0.0}
    assert ks_2samp(kinds[:, 0], images[:, 0]).pvalue > 1e-3
    assert ks_2samp(kinds[:, 0] - kinds[:, 1], images[:, 0] - images[:, 1]).pvalue > 1e-3


def test_many_kinds_are_not_drawn():
    terms = np.arange(MOST_KINDS + 1.0)[:, None]
    assert multinomial_sums(terms, np.arange(len(terms)), 5, 0) is None
    assert multinomial_sums(terms[1:], np.arange(MOST_KINDS), 5, 0).shape == (5, 1)


@pytest.mark.slow
@pytest.mark.parametrize("questions", [1, 3])
def test_of_equal_methods_one_cell_in_twenty_is_won_or_lost_and_one_family_in_twenty_after_holm(questions):
    """8000 cells of 200 images, answers of an image alike; then 400 families of 20 of them.

    Bounds are binomial, at four standard errors; the percentile interval of 200 clusters adds (199/200)^(1/2) and the
    discreteness of answers.
    """
    rng = np.random.default_rng(7)
    images, cells, family = 200, 8000, 20
    member = np.repeat(np.arange(images), questions)
    p_values, verdicts = [], []
    for cell in range(cells):
        difficulty = np.repeat(rng.normal(size=images), questions)
        right = [
            (difficulty + np.repeat(rng.normal(size=images), questions) + rng.normal(size=len(member)) > 0).astype(
                float
            )
            for _ in range(2)
        ]
        sums = multinomial_sums((right[0] - right[1])[:, None], member, 2000, cell)
        replicates = sums[:, 0] / len(member)
        p_values.append(percentile_p_value(replicates))
        verdicts.append(verdict(*percentile_interval(replicates)))
    false = np.mean([one != "tie" for one in verdicts])
    assert abs(false - 0.05) < 4 * np.sqrt(0.05 * 0.95 / cells) + 0.003
    wins, losses = verdicts.count("win"), verdicts.count("loss")
    assert abs(wins - losses) < 4 * np.sqrt(wins + losses)
    families = [slice(start, start + family) for start in range(0, cells, family)]
    wrong = np.mean([any(v != "tie" for v in corrected(verdicts[one], p_values[one], 0.95)[0]) for one in families])
    assert wrong < 0.05 + 4 * np.sqrt(0.05 * 0.95 / len(families))

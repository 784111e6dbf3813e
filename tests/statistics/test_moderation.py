"""The pooled variance between draws against statsmodels' two-way layout, and what it does to a difference."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols

from benchx.statistics.moderation import draw_prior
from benchx.statistics.variance import difference_estimate, with_draws


def test_twice_the_residual_mean_square_of_the_two_way_layout():
    scores = np.random.default_rng(0).normal(size=(6, 4)) + np.arange(4)
    rows = [(m, s, scores[m, s]) for m in range(6) for s in range(4)]
    fitted = ols("score ~ C(method) + C(draw)", pd.DataFrame(rows, columns=["method", "draw", "score"])).fit()
    prior = draw_prior(scores)
    assert prior.between_variance == pytest.approx(2 * fitted.mse_resid, rel=1e-10)
    assert prior.df == 3


@pytest.mark.parametrize(("methods", "draws", "df"), [(3, 2, 1), (3, 3, 2), (4, 3, 3), (10, 5, 3)])
def test_the_weight_is_no_more_than_the_other_methods_hold(methods, draws, df):
    assert draw_prior(np.random.default_rng(1).normal(size=(methods, draws))).df == df


@pytest.mark.parametrize("shape", [(2, 5), (1, 5), (5, 1)])
def test_nothing_to_pool(shape):
    assert draw_prior(np.zeros(shape)) is None


def test_a_pair_with_lucky_draws_is_given_the_columns_variance():
    rng = np.random.default_rng(2)
    scores = 0.8 + 0.02 * rng.normal(size=(8, 3))
    scores[0], scores[1] = 0.81, 0.80  # two methods whose three draws agree by chance
    flat = scores[..., None] + np.zeros(50)
    flat[0] += 1e-4 * rng.normal(size=50)
    prior = draw_prior(scores)
    own, moderated = (
        difference_estimate(scores[0], flat[0], scores[1], flat[1], 100, paired_draws=True, prior=given)
        for given in (None, prior)
    )
    assert own.p_value < 1e-6
    assert moderated.p_value > 0.05
    assert moderated.value == own.value
    assert moderated.between_variance == pytest.approx(prior.between_variance * 3 / 5)
    assert moderated.draw_df == 5


@pytest.mark.slow
def test_one_unstable_method_among_ten_equal_ones_makes_no_family_error():
    """Normal errors, three draws, draw variance four times the case variance, one method's five times as spread."""
    rng = np.random.default_rng(4)
    runs, methods, replicates = 2000, 10, 60
    spread = np.where(np.arange(methods) == 0, 10.0, 2.0)[:, None]
    found = {"own": 0, "moderated": 0}
    for _ in range(runs):
        scores = 0.7 * rng.normal(size=(methods, 1)) + spread * rng.normal(size=(methods, 3))
        cases = 0.7 * rng.normal(size=(methods, 1, replicates))
        resampled = scores[..., None] + cases + 0.5 * rng.normal(size=(methods, 3, replicates))
        for name, prior in (("own", None), ("moderated", draw_prior(scores))):
            p = [
                difference_estimate(
                    scores[a], resampled[a], scores[b], resampled[b], 200, paired_draws=True, prior=prior
                ).p_value
                for a, b in combinations(range(methods), 2)
            ]
            found[name] += min(p) <= 0.05 / len(p)
    assert found["moderated"] / runs <= 0.06
    assert found["own"] / runs > 0.08


def test_what_other_methods_lent_stays_with_more_draws():
    rng = np.random.default_rng(5)
    scores = rng.normal(size=(6, 3))
    replicates = scores[..., None] + 0.1 * rng.normal(size=(6, 3, 40))
    found = difference_estimate(
        scores[0], replicates[0], scores[1], replicates[1], 100, paired_draws=True, prior=draw_prior(scores)
    )
    assert (found.draw_df, found.prior_df) == (5, 3)
    assert with_draws(found, 6).draw_df == 8

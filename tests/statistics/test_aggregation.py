"""Across datasets: interquartile mean, its bootstrap, missing cells, wins and losses, families."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchx.statistics.aggregation import (
    block_order,
    block_ranks,
    complete_case,
    family_blocks,
    interquartile_mean,
    stratified_iqm,
    win_tie_loss,
)
from benchx.statistics.multiplicity import holm
from benchx.statistics.ranking import friedman, ranks


@settings(deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40))
def test_the_interquartile_mean_is_scipys_where_whole_values_leave(values):
    values = np.array(values[: 4 * (len(values) // 4)] or values[:1] * 4)
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25), rel=1e-12, abs=1e-9)


def test_a_value_that_straddles_the_border_leaves_in_part():
    # Of five values a quarter is one and a quarter: 1 + 1/4 leave at each end, so 2, 3 and 4 stay by 3/4, 1 and 3/4.
    values = np.array([5.0, 1, 2, 4, 3])
    assert interquartile_mean(values) == pytest.approx((0.75 * 2 + 3 + 0.75 * 4) / 2.5, rel=1e-12)


def test_a_weight_counts_as_so_many_equal_values():
    rng = np.random.default_rng(8)
    values, weights = rng.normal(size=(3, 7)), np.array([1, 3, 2, 1, 4, 1, 2])
    repeated = np.repeat(values, weights, axis=1)
    np.testing.assert_allclose(interquartile_mean(values, weights), interquartile_mean(repeated), rtol=1e-12)
    np.testing.assert_allclose(interquartile_mean(values, 0.1 * weights), interquartile_mean(repeated), rtol=1e-12)


def test_the_interquartile_mean_runs_over_the_last_axis():
    values = np.random.default_rng(0).normal(size=(3, 4, 8))
    np.testing.assert_allclose(interquartile_mean(values), stats.trim_mean(values, 0.25, axis=-1), rtol=1e-12)


def test_the_bootstrap_of_one_column_is_scipys():
    # The two differ by their draws only: with 20 000 replicates a quantile is known to 2 % of the standard error.
    runs = np.random.default_rng(1).normal(0.8, 0.05, size=12)
    reference = stats.bootstrap((runs,), _trimmed, n_resamples=20_000, method="percentile", rng=2)
    found = stratified_iqm([runs], [1.0], replicates=20_000, seed=3)
    assert found.value == pytest.approx(stats.trim_mean(runs, 0.25), rel=1e-12)
    tolerance = 0.06 * reference.standard_error
    assert found.low == pytest.approx(reference.confidence_interval.low, abs=tolerance)
    assert found.high == pytest.approx(reference.confidence_interval.high, abs=tolerance)


def _trimmed(values, axis):
    return stats.trim_mean(values, 0.25, axis=axis)


def test_columns_of_one_draw_add_no_width_however_they_differ():
    # Three blocks of three deterministic columns each: what differs between columns is not uncertainty of draws.
    found = stratified_iqm([np.array([value]) for value in 3 * [0.05, 0.0, -0.05]], 9 * [1 / 3])
    assert (found.low, found.value, found.high) == pytest.approx((0, 0, 0), abs=1e-15)


def test_a_column_weighs_the_same_whatever_its_number_of_draws():
    columns = [np.full(43, 0.02), np.full(14, 0.02), np.array([-0.04])]
    assert stratified_iqm(columns, [1, 1, 1]).value == pytest.approx(
        float(interquartile_mean(np.array([0.02, 0.02, -0.04]))), rel=1e-12
    )


def test_one_run_everywhere_leaves_no_width_and_the_seed_fixes_the_draws():
    single = stratified_iqm([np.array([0.5]), np.array([0.75])], [1, 1])
    assert (single.low, single.value, single.high) == (0.625, 0.625, 0.625)
    runs = [np.array([0.1, 0.2, 0.4]), np.array([0.3, 0.9])]
    assert stratified_iqm(runs, [1, 2], 500, seed=1) == stratified_iqm(runs, [1, 2], 500, seed=1)


def test_a_method_that_lacks_a_block_is_listed_apart_with_what_it_lacks():
    present = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], bool)
    found = complete_case(present)
    assert found.kept == (0,)
    assert found.missing == {1: (1,), 2: (0, 1)}
    assert complete_case(np.ones((2, 3), bool)).missing == {}


def test_wins_ties_and_losses_are_counted_over_blocks_and_opponents():
    # Block 0: 0 beats 1 and 2, 1 and 2 are not told apart. Block 1: only 0 and 1 compared, 1 wins. Block 2: nothing
    # compared.
    value, p = np.zeros((3, 3, 3)), np.full((3, 3, 3), np.nan)
    _set(value, p, 0, (0, 1), 0.2, 0.01)
    _set(value, p, 0, (0, 2), 0.3, 0.05)
    _set(value, p, 0, (1, 2), 0.1, 0.4)
    _set(value, p, 1, (0, 1), -0.1, 0.001)
    found = win_tie_loss(value, p)
    assert found.wins.tolist() == [2, 1, 0]
    assert found.ties.tolist() == [0, 1, 1]
    assert found.losses.tolist() == [1, 1, 1]
    assert found.untested.tolist() == [3, 3, 4]
    assert found.expected_false == pytest.approx(0.10)
    assert (found.wins + found.ties + found.losses + found.untested == 3 * 2).all()


def _set(value, p, block, pair, gap, adjusted):
    first, second = pair
    value[block, first, second], value[block, second, first] = gap, -gap
    p[block, first, second] = p[block, second, first] = adjusted


def test_the_expected_number_of_blocks_with_a_false_win_stays_below_its_bound():
    # 2 000 boards of 6 blocks and 5 equal methods: independent z tests of all pairs, corrected by Holm within the
    # block.
    rng = np.random.default_rng(6)
    first, second = np.triu_indices(5, 1)
    boards, blocks, false_blocks = 2000, 6, 0
    for scores in rng.normal(size=(boards, blocks, 5)):
        value = scores[:, :, None] - scores[:, None, :]
        p = np.full(value.shape, np.nan)
        for block in range(blocks):
            raw = 2 * stats.norm.sf(np.abs(value[block, first, second]) / np.sqrt(2))
            p[block, first, second] = p[block, second, first] = holm(raw)
        false_blocks += int(((p <= 0.05) & (value > 0)).any(axis=(1, 2)).sum())
    bound = win_tie_loss(value, p).expected_false
    assert bound == pytest.approx(0.3)
    assert 0.5 * bound < false_blocks / boards < bound


def test_columns_of_one_source_form_one_block_in_the_ranks():
    families = ["nih", "covidx", "nih", "vindr"]
    assert family_blocks(families) == [[0, 2], [1], [3]]
    column_ranks = ranks(np.array([[0.9, 0.8, 0.7], [0.1, 0.2, 0.3], [0.8, 0.9, 0.7], [0.5, 0.5, 0.4]]))
    found = block_ranks(column_ranks, families)
    np.testing.assert_array_equal(found, [[1.5, 1.5, 3], [3, 2, 1], [1.5, 1.5, 3]])
    order = block_order(column_ranks, families)
    np.testing.assert_array_equal(order, [[1.5, 1.5, 3], [3, 2, 1], [1.5, 1.5, 3]])
    assert friedman(-order).blocks == 3


def test_within_a_block_of_several_columns_methods_are_ranked_again():
    column_ranks = np.array([[1.0, 2.0, 3.0], [2.0, 3.0, 1.0]])
    np.testing.assert_array_equal(block_ranks(column_ranks, ["nih", "nih"]), [[1.5, 2.5, 2.0]])
    np.testing.assert_array_equal(block_order(column_ranks, ["nih", "nih"]), [[1, 3, 2]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interquartile_mean(np.array([])), "one value"),
        (lambda: interquartile_mean(np.array([1.0, np.nan])), "NaN"),
        (lambda: stratified_iqm([], []), "there must be a column"),
        (lambda: stratified_iqm([np.array([])], [1]), "one draw"),
        (lambda: stratified_iqm([np.array([1.0])], [0]), "positive weight"),
        (lambda: stratified_iqm([np.array([np.nan])], [1]), "NaN"),
        (lambda: win_tie_loss(np.zeros((2, 3, 3)), np.zeros((2, 3, 2))), "blocks x methods"),
        (lambda: block_ranks(np.ones((2, 3)), ["a"]), "1 families for 2"),
    ],
)
def test_what_cannot_be_aggregated_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Holm and Benjamini-Hochberg against statsmodels, with tests that could not be made."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from benchx.statistics.multiplicity import benjamini_hochberg, first_threshold, holm

RANDOM = np.random.default_rng(0)
FAMILIES = {
    "uniform": RANDOM.random(45),
    "mostly small": RANDOM.random(45) ** 4,
    "ties": RANDOM.random(45).round(1),
    "alike": np.full(7, 0.02),
    "zeros and ones": np.array([0.0, 1.0, 0.0, 0.3, 1.0]),
    "two": np.array([0.03, 0.03]),
}
CORRECTIONS = [(holm, "holm"), (benjamini_hochberg, "fdr_bh")]


@pytest.mark.parametrize(("correct", "method"), CORRECTIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_adjusted_as_statsmodels_does_with_ties_zeros_and_ones(correct, method, family):
    p = FAMILIES[family]
    np.testing.assert_allclose(correct(p), multipletests(p, method=method)[1], rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize(("correct", "method"), CORRECTIONS)
def test_a_test_that_could_not_be_made_is_no_member_of_the_family(correct, method):
    p = np.array([np.nan, 0.04, 0.001, np.nan, 0.02])
    adjusted = correct(p)
    assert np.isnan(adjusted[[0, 3]]).all()
    np.testing.assert_allclose(adjusted[[1, 2, 4]], multipletests(p[[1, 2, 4]], method=method)[1], rtol=1e-15)


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
def test_an_empty_family_and_a_family_of_one(correct):
    assert correct(np.array([])).shape == (0,)
    assert correct(np.array([0.03])) == [0.03]
    assert np.isnan(correct(np.array([np.nan]))).all()


def test_the_holm_example_of_demsar_2006():
    # Section 3.2.2: C4.5 against C4.5+m+cf, C4.5+m and C4.5+cf has p = 0.016, 0.019, 0.607; the first two are rejected.
    np.testing.assert_allclose(holm(np.array([0.607, 0.016, 0.019])), [0.607, 0.048, 0.048], rtol=1e-12)


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
@pytest.mark.parametrize(("p", "message"), [([0.5, 1.1], "outside"), ([-0.1], "outside"), ([[0.1]], "one row")])
def test_what_is_no_p_value_is_refused(correct, p, message):
    with pytest.raises(ValueError, match=message):
        correct(np.array(p))


def test_the_first_threshold_is_what_holm_asks_of_the_smallest_p():
    threshold = first_threshold(45)
    assert holm(np.array([threshold] + [1.0] * 44))[0] == pytest.approx(0.05, abs=1e-15)
    with pytest.raises(ValueError, match="one test"):
        first_threshold(0)

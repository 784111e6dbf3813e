"""McNemar, Wilcoxon and permutation tests against statsmodels, scipy, published figures and enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from benchx.metrics.classification import auroc
from benchx.statistics.paired_tests import (
    cluster_numbers,
    mcnemar,
    needed,
    paired_permutation,
    swap_permutation,
    wilcoxon_signed_rank,
)

NAN = float("nan")

# Glands per patient that PET and SPECT both, only PET, only SPECT or neither found free of disease: 21 patients of
# Obuchowski (1998), as in the R package clust.bin.pair (MIT), which prints chi-square 2.8571, p 0.09097.
BOTH = [0, 2, 3, 1, 2, 4, 3, 2, 1, 1, 2, 2, 3, 2, 0, 2, 2, 2, 2, 1, 2]
ONLY_PET = [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
ONLY_SPECT = [2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0]
NEITHER = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0]


def glands() -> tuple[np.ndarray, np.ndarray, list[str]]:
    rows = [
        (pet, spect, str(patient))
        for counts, pet, spect in ((BOTH, 1, 1), (ONLY_PET, 1, 0), (ONLY_SPECT, 0, 1), (NEITHER, 0, 0))
        for patient, count in enumerate(counts)
        for _ in range(count)
    ]
    pet, spect, patients = zip(*rows, strict=True)
    return np.array(pet), np.array(spect), list(patients)


def enumerated(totals: np.ndarray) -> float:
    """The exact sign-flip p value, pattern by pattern."""
    sums = [abs(np.dot(signs, totals)) for signs in itertools.product([1, -1], repeat=len(totals))]
    return float(np.mean(np.array(sums) >= abs(totals.sum()) - 1e-9))


@pytest.mark.parametrize("seed", range(20))
def test_mcnemar_is_the_exact_test_of_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, rng.integers(1, 60))) < [[0.8], [rng.uniform(0.3, 0.9)]]
    table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    expected = statsmodels_mcnemar(table, exact=True)
    found = mcnemar(a, b)
    assert (found.statistic, found.n) == (expected.statistic, table[0][1] + table[1][0])
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    assert found.p_value >= found.smallest_p * (1 - 1e-12)


def test_mcnemar_reaches_its_smallest_p_when_all_favour_one() -> None:
    found = mcnemar(np.ones(6, bool), np.array([0, 0, 0, 0, 0, 1], bool))
    assert (found.n, found.p_value, found.smallest_p) == (5, 0.0625, 0.0625)


def test_clustered_mcnemar_reproduces_obuchowskis_glands() -> None:
    found = mcnemar(*glands())
    assert found.statistic == pytest.approx(2.8571, abs=5e-5)
    assert found.p_value == pytest.approx(0.09097, abs=5e-6)
    assert found.n == 6


def test_clustered_mcnemar_is_the_sum_over_its_variance_under_sign_flips() -> None:
    """The exact variance of a flipped sum is that of the chi-square, but for K / (K - 1)."""
    pet, spect, patients = glands()
    totals = np.bincount(np.array(patients, int), pet - spect)
    flipped = [np.dot(signs, totals[totals != 0]) for signs in itertools.product([1, -1], repeat=6)]
    assert mcnemar(pet, spect, patients).statistic == pytest.approx(totals.sum() ** 2 / np.var(flipped) * 20 / 21)
    assert paired_permutation(pet - spect, patients, 100, 0).p_value == enumerated(totals[totals != 0])


def test_clustered_mcnemar_of_single_cases_is_the_uncorrected_chi_square() -> None:
    a, b = np.random.default_rng(0).random((2, 200)) < [[0.8], [0.7]]
    table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    expected = statsmodels_mcnemar(table, exact=False, correction=False)
    found = mcnemar(a, b, [str(case) for case in range(200)])
    assert found.statistic == pytest.approx(expected.statistic * 199 / 200, rel=1e-12)


def test_clustered_mcnemar_agrees_with_permutations_of_many_patients() -> None:
    """With half of the patterns that only equal what was seen, since counts are discrete and the chi-square is not."""
    rng = np.random.default_rng(1)
    patients = np.repeat(np.arange(300), rng.integers(1, 5, 300))
    a, b = rng.random((2, len(patients))) < 0.75 + 0.2 * rng.normal(size=300)[patients] + [[0.03], [0]]
    totals = np.bincount(patients, a.astype(float) - b)
    flipped = np.abs(rng.choice([-1, 1], (20000, 300)) @ totals)
    middle = np.mean(flipped > abs(totals.sum())) + np.mean(flipped == abs(totals.sum())) / 2
    assert mcnemar(a, b, [str(patient) for patient in patients]).p_value == pytest.approx(middle, abs=0.012)


def test_clustered_mcnemar_knows_how_far_few_discordant_patients_can_take_it() -> None:
    a, b = np.ones(40), np.ones(40)
    b[[0, 10, 20]] = 0
    found = mcnemar(a, b, [str(case // 2) for case in range(40)])
    assert (found.n, found.statistic) == (3, pytest.approx(3 * 19 / 20))
    assert found.p_value == pytest.approx(found.smallest_p)


@pytest.mark.parametrize("size", [1, 2, 5, 13, 30, 50, 51, 400])
@pytest.mark.parametrize("levels", [10, 1e9])
def test_wilcoxon_is_that_of_scipy(size: int, levels: float) -> None:
    """Exact without ties, exact with up to 13 tied differences, normal otherwise."""
    rng = np.random.default_rng(size)
    a = rng.integers(0, levels, size) / 2**40
    b = a + (rng.integers(1, levels, size) * rng.choice([-1, 1, 1], size)) / 2**40
    expected = stats.wilcoxon(a, b)
    found = wilcoxon_signed_rank(a, b)
    assert (found.statistic, found.n) == (expected.statistic, size)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    assert found.p_value >= found.smallest_p * (1 - 1e-12)


@pytest.mark.parametrize("size", [1, 3, 5, 10, 13, 14, 20, 50, 60])
@pytest.mark.parametrize("tied", [True, False])
def test_wilcoxon_p_values_do_not_fall_below_the_smallest(size: int, tied: bool) -> None:
    b = np.full(size, 0.1) if tied else np.linspace(0.1, 0.2, size)
    found = wilcoxon_signed_rank(np.zeros(size), b)
    assert found.smallest_p == min(1, 2 / 2**size)
    assert found.p_value >= found.smallest_p * (1 - 1e-12)
    if size <= 13:
        assert found.p_value == pytest.approx(found.smallest_p, rel=1e-12)


def test_wilcoxon_leaves_equal_pairs_out_even_when_rounding_parts_them() -> None:
    a = np.array([0.9, 0.1 + 0.2, 0.5, 0.7, 1.0, 1.0])
    b = np.array([0.8, 0.3, 0.2, 0.6, 1.0, 1.0])
    found, without = wilcoxon_signed_rank(a, b), wilcoxon_signed_rank(a[[0, 2, 3]], b[[0, 2, 3]])
    assert found == without
    assert (found.n, found.smallest_p, found.p_value) == (3, 0.25, 0.25)


def test_wilcoxon_ranks_patients_by_their_mean_difference() -> None:
    a = np.array([0.9, 0.5, 0.7, 0.4, 0.8, 0.3])
    b = np.array([0.6, 0.6, 0.6, 0.6, 0.5, 0.3])
    found = wilcoxon_signed_rank(a, b, ["p", "p", "q", "r", "r", "s"])
    expected = stats.wilcoxon([0.1, 0.1, 0.05])
    assert (found.n, found.p_value, found.statistic) == (3, expected.pvalue, expected.statistic)


def test_nothing_to_compare_is_no_difference_and_no_warning() -> None:
    same = np.array([0.5, 0.7])
    for found in (
        wilcoxon_signed_rank(same, same),
        wilcoxon_signed_rank(np.array([]), np.array([])),
        wilcoxon_signed_rank(np.zeros(3), np.zeros(3)),
        mcnemar(np.ones(3), np.ones(3)),
        mcnemar(np.array([]), np.array([])),
        mcnemar(np.array([1, 0]), np.array([0, 1]), ["p", "p"]),
        mcnemar(np.array([]), np.array([]), []),
        paired_permutation(np.zeros(4), None, 10, 0),
        paired_permutation(np.array([0.1, 0.2, -0.3]), ["p", "p", "p"], 10, 0),
        paired_permutation(np.array([]), None, 10, 0),
        swap_permutation(lambda scores: float(scores.mean()), same, same, None, 10, 0),
    ):
        assert (found.p_value, found.n, found.smallest_p) == (1, 0, 1)
        assert found.statistic == pytest.approx(0, abs=1e-15)


def test_one_patient_decides_nothing() -> None:
    difference, names = np.array([0.3, 0.4]), ["p", "p"]
    for found in (
        paired_permutation(difference, names, 1000, 0),
        wilcoxon_signed_rank(difference, np.zeros(2), names),
        mcnemar(np.ones(2), np.zeros(2), names),
    ):
        assert (found.p_value, found.n, found.smallest_p) == (1, 1, 1)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_exact_permutation_is_that_of_scipy(seed: int, decimals: int) -> None:
    differences = np.round(np.random.default_rng(seed).normal(0.5, 1, 10), decimals)
    expected = stats.permutation_test(
        (differences,), lambda x, axis: x.mean(axis=axis), permutation_type="samples", n_resamples=np.inf
    )
    found = paired_permutation(differences, None, 2**10, 0)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    assert found.smallest_p == 2 / 2**found.n


def test_permutation_flips_patients_whole() -> None:
    differences = np.array([0.1, 0.2, 0.3, -0.1, 0.4, 0.2, 0.7])
    found = paired_permutation(differences, ["p", "q", "p", "r", "s", "q", "t"], 32, 0)
    assert found.p_value == enumerated(np.array([0.4, 0.4, -0.1, 0.4, 0.7]))
    assert (found.n, found.statistic) == (5, pytest.approx(differences.mean()))


def test_drawn_permutations_approach_the_exact_p_and_never_reach_zero() -> None:
    differences = np.random.default_rng(2).normal(0.3, 1, 14)
    exact, drawn = (paired_permutation(differences, None, count, 3) for count in (2**14, 2**14 - 1))
    assert drawn.p_value == pytest.approx(exact.p_value, abs=0.01)
    assert drawn.p_value * 2**14 == round(drawn.p_value * 2**14)
    clear = paired_permutation(np.linspace(1, 2, 40), None, 999, 4)
    assert (clear.p_value, clear.smallest_p, clear.n) == (0.001, 0.001, 40)
    assert paired_permutation(differences, None, 500, 5) == paired_permutation(differences, None, 500, 5)


def test_a_large_enumeration_is_counted_in_blocks() -> None:
    """With 18 equal differences, p is that of the exact McNemar test of as many discordant cases."""
    differences = np.array([1.0] * 13 + [-1.0] * 5)
    found = paired_permutation(differences, None, 2**18, 0)
    assert found.p_value == pytest.approx(stats.binomtest(13, 18).pvalue, rel=1e-12)


def ranked_case(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.array([0, 1] * 5)
    a, b = (stats.rankdata(np.round(rng.normal(size=10) + shift * labels, 1)) for shift in (1.5, 0))
    return a, b, labels


@pytest.mark.parametrize("seed", range(4))
def test_swapping_is_that_of_scipy_for_the_auroc(seed: int) -> None:
    a, b, labels = ranked_case(seed)
    expected = stats.permutation_test(
        (a, b),
        lambda x, y: auroc(x, labels) - auroc(y, labels),
        permutation_type="samples",
        vectorized=False,
        n_resamples=np.inf,
    )
    found = swap_permutation(lambda scores: auroc(scores, labels), a, b, None, 2**10, 0)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-12)


def test_swapping_moves_patients_whole_and_all_classes_with_them() -> None:
    a, b, labels = ranked_case(5)
    member = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    b[member == 4] = a[member == 4]
    both = [np.column_stack([one, -one]) for one in (a, b)]

    def metric(scores: np.ndarray) -> float:
        return auroc(scores[:, 0], labels) + 0.5 * auroc(scores[:, 1], 1 - labels)

    found = swap_permutation(metric, both[0], both[1], [str(one) for one in member], 16, 0)
    gaps = []
    for flips in itertools.product([False, True], repeat=5):
        swap = np.array(flips)[member][:, None]
        gaps.append(metric(np.where(swap, both[1], both[0])) - metric(np.where(swap, both[0], both[1])))
    assert found.p_value == np.mean(np.abs(gaps) >= abs(gaps[0]) - 1e-9)
    assert (found.n, found.smallest_p) == (4, 0.125)


def test_swapping_means_is_flipping_signs() -> None:
    a, b = np.random.default_rng(6).normal(size=(2, 9))
    swapped = swap_permutation(lambda scores: float(scores.mean()), a, b, None, 2**9, 0)
    assert swapped.p_value == paired_permutation(a - b, None, 2**9, 0).p_value


@pytest.mark.parametrize("threshold", [1, 0.5, 0.0625, 0.0624, 0.05, 0.05 / 66, 2**-20, np.nextafter(2**-20, 0)])
def test_needed_is_the_smallest_number_that_can_reach_a_threshold(threshold: float) -> None:
    count = needed(threshold)
    assert 2 / 2**count <= threshold
    assert count == 1 or 2 / 2 ** (count - 1) > threshold
    assert needed(0.05) == 6


def test_clusters_are_numbered_in_the_order_of_their_names() -> None:
    np.testing.assert_array_equal(cluster_numbers(["b", "a", "b"], 3), [1, 0, 1])
    np.testing.assert_array_equal(cluster_numbers(None, 3), [0, 1, 2])


def test_what_cannot_be_tested_is_refused() -> None:
    values = np.array([0.5, 0.6])
    for test in (wilcoxon_signed_rank, lambda a, b: swap_permutation(np.mean, a, b, None, 10, 0)):
        with pytest.raises(ValueError, match="NaN or infinite"):
            test(values, np.array([0.5, NAN]))
        with pytest.raises(ValueError, match="not paired"):
            test(values, values[1:])
    with pytest.raises(ValueError, match="true or false"):
        mcnemar(values, values)
    with pytest.raises(ValueError, match="true or false"):
        mcnemar(np.array([1, NAN]), np.array([1, 0]))
    with pytest.raises(ValueError, match="NaN or infinite"):
        paired_permutation(np.array([np.inf]), None, 10, 0)
    with pytest.raises(ValueError, match="must be positive"):
        paired_permutation(values, None, 0, 0)
    with pytest.raises(ValueError, match="1 clusters for 2 cases"):
        paired_permutation(values, ["p"], 10, 0)
    with pytest.raises(ValueError, match="the metric is NaN"):
        swap_permutation(lambda scores: NAN, values, values + 1, None, 10, 0)
    with pytest.raises(ValueError, match="NaN for exchanged scores"):
        swap_permutation(lambda s: 1.0 if s[0] != values[0] or s[1] == 0.6 else NAN, values, values + 1, None, 1, 0)
    for threshold in (0, -1, 1.5, NAN):
        with pytest.raises(ValueError, match="threshold"):
            needed(threshold)

"""DeLong's covariance against its published example, its definition, scikit-learn, a bootstrap and a jackknife."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchx.metrics.classification import auroc, macro_auroc
from benchx.statistics.delong import (
    AurocCovariance,
    auroc_interval,
    delong,
    delong_test,
    delong_unpaired,
    macro_delong,
    placements,
)

NAN = float("nan")

# Albumin, total protein, Krebs-Goplerud score and outcome of the 43 complete cases among the 49 ovarian cancer
# patients of DeLong, DeLong and Clarke-Pearson (1988), as in the SAS/STAT User's Guide, The LOGISTIC Procedure,
# example "Comparing Receiver Operating Characteristic Curves".
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1
3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1
4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""


def ovarian() -> AurocCovariance:
    albumin, protein, score, benefit = np.array(OVARIAN.split(), float).reshape(-1, 4).T
    return delong(np.stack([albumin, protein, -score]), benefit)


def pairs(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The kernel of the definition: 1, 1/2 or 0 for every positive and every negative [P, Q]."""
    return (np.sign(scores[labels == 1][:, None] - scores[labels == 0]) + 1) / 2


def draw(patients: int, methods: int, seed: int, levels: float = 4) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Scores [M, N] with ties and labels [N]; a patient has one to four images, positive, negative or both."""
    rng = np.random.default_rng(seed)
    member = np.repeat(np.arange(patients), rng.integers(1, 5, patients))
    labels = (rng.normal(size=patients)[member] + rng.normal(size=len(member)) > 0.4).astype(float)
    shared = rng.normal(size=patients)[member] + 0.5 * rng.normal(size=len(member))
    own = rng.normal(size=(methods, patients))[:, member] + 0.5 * rng.normal(size=(methods, len(member)))
    scores = np.round((labels + shared + own) * levels) / levels
    return scores, labels, [f"p{one:03d}" for one in member]


def obuchowski(scores: np.ndarray, labels: np.ndarray, clusters: list[str], geometric: bool) -> np.ndarray:
    """Obuchowski (1997) with her sums S10, S01, S11 as loops over clusters; `geometric`: our factor of S11."""
    names = sorted(set(clusters))
    of_positive, of_negative = np.array(clusters)[labels == 1], np.array(clusters)[labels == 0]
    x, y = [], []
    for one in scores:
        won = pairs(one, labels)
        x.append([(won[of_positive == name].mean(axis=1) - won.mean()).sum() for name in names])
        y.append([(won[:, of_negative == name].mean(axis=0) - won.mean()).sum() for name in names])
    x, y = np.array(x), np.array(y)
    m, n = len(of_positive), len(of_negative)
    i, i10, i01 = len(names), len(set(of_positive)), len(set(of_negative))
    f10, f01 = i10 / (i10 - 1), i01 / (i01 - 1)
    f11 = math.sqrt(f10 * f01) if geometric else i / (i - 1)
    return f10 * x @ x.T / m**2 + f01 * y @ y.T / n**2 + f11 * (x @ y.T + y @ x.T) / (m * n)


def test_reproduces_the_ovarian_cancer_example() -> None:
    """To all four decimals that SAS prints for areas, errors, limits, contrasts and the joint chi-square."""
    found = ovarian()
    assert (found.positives, found.negatives, found.clusters) == (31, 12, None)
    np.testing.assert_allclose(found.auroc, [0.7366, 0.6478, 0.7258], atol=5e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), [0.0927, 0.1000, 0.1028], atol=5e-5)
    np.testing.assert_allclose(auroc_interval(found, 0), [0.5549, 0.9182], atol=5e-5)
    np.testing.assert_allclose(auroc_interval(found, 1), [0.4518, 0.8439], atol=5e-5)
    np.testing.assert_allclose(auroc_interval(found, 2), [0.5243, 0.9273], atol=5e-5)
    albumin, protein = delong_test(found, 0, 2), delong_test(found, 1, 2)
    np.testing.assert_allclose([albumin.difference, albumin.low, albumin.high], [0.0108, -0.1761, 0.1976], atol=5e-5)
    np.testing.assert_allclose([albumin.statistic**2, albumin.p_value], [0.0127, 0.9102], atol=5e-5)
    np.testing.assert_allclose([protein.difference, protein.low, protein.high], [-0.0780, -0.2830, 0.1271], atol=5e-5)
    np.testing.assert_allclose([protein.statistic**2, protein.p_value], [0.5554, 0.4561], atol=5e-5)
    contrast = np.array([[1, 0, -1], [0, 1, -1]])
    differences = contrast @ found.auroc
    chi_square = differences @ np.linalg.solve(contrast @ found.covariance @ contrast.T, differences)
    assert chi_square == pytest.approx(2.5340, abs=5e-5)


@pytest.mark.parametrize("levels", [0.5, 4, 1e6])
def test_equals_the_definition_over_all_pairs(levels: float) -> None:
    scores, labels, _ = draw(60, 3, 1, levels)
    found = delong(scores, labels)
    kernels = [pairs(one, labels) for one in scores]
    positives, negatives = kernels[0].shape
    for one, kernel in zip(found.auroc, kernels, strict=True):
        assert one == float(Fraction(int(2 * kernel.sum()), 2 * positives * negatives))
    v10, v01 = placements(scores, labels)
    np.testing.assert_allclose(v10, [kernel.mean(axis=1) for kernel in kernels], atol=1e-15)
    np.testing.assert_allclose(v01, [kernel.mean(axis=0) for kernel in kernels], atol=1e-15)
    expected = np.cov([kernel.mean(axis=1) for kernel in kernels]) / positives
    expected += np.cov([kernel.mean(axis=0) for kernel in kernels]) / negatives
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-12)


def test_aurocs_are_those_of_scikit_learn_and_of_the_metric() -> None:
    for seed in range(20):
        scores, labels, clusters = draw(80, 2, seed)
        for found, one in zip(delong(scores, labels, clusters).auroc, scores, strict=True):
            assert found == pytest.approx(roc_auc_score(labels, one), abs=1e-15)
            assert found == auroc(one, labels)


def test_patients_enter_as_obuchowski_sums_them() -> None:
    scores, labels, clusters = draw(150, 3, 2)
    found = delong(scores, labels, clusters)
    assert found.clusters == 150
    np.testing.assert_allclose(found.covariance, obuchowski(scores, labels, clusters, geometric=True), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, obuchowski(scores, labels, clusters, geometric=False), rtol=0.004)


def test_is_delong_where_every_case_is_its_own_cluster() -> None:
    scores, labels, _ = draw(40, 3, 3)
    plain, single = delong(scores, labels), delong(scores, labels, [str(case) for case in range(len(labels))])
    np.testing.assert_allclose(single.covariance, plain.covariance, rtol=1e-13)
    assert (plain.clusters, single.clusters) == (None, len(labels))


def test_standard_errors_are_those_of_a_patient_bootstrap_and_of_a_jackknife() -> None:
    scores, labels, clusters = draw(300, 2, 4)
    found = delong(scores, labels, clusters)
    member = np.unique(clusters, return_inverse=True)[1]
    kernels = [pairs(one, labels) for one in scores]

    def aurocs(counts: np.ndarray) -> np.ndarray:
        positive, negative = counts[:, member[labels == 1]], counts[:, member[labels == 0]]
        total = positive.sum(axis=1) * negative.sum(axis=1)
        return np.stack([((positive @ kernel) * negative).sum(axis=1) / total for kernel in kernels])

    drawn = np.random.default_rng(5).multinomial(300, np.full(300, 1 / 300), size=4000).astype(float)
    without = (300 - 1) ** 2 / 300 * np.cov(aurocs(1 - np.eye(300)))
    contrast = np.array([1, -1])
    for covariance, tolerance in ((np.cov(aurocs(drawn)), 0.05), (without, 0.02)):
        np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), np.sqrt(np.diag(covariance)), rtol=tolerance)
        error = math.sqrt(contrast @ found.covariance @ contrast)
        assert error == pytest.approx(math.sqrt(contrast @ covariance @ contrast), rel=tolerance)
    image_level = math.sqrt(delong(scores, labels).covariance[0, 0])
    assert image_level < 0.85 * math.sqrt(found.covariance[0, 0])


def macro_case(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Two methods' scores and labels [N, 3] whose classes share patients; some labels are unknown."""
    rng = np.random.default_rng(seed)
    columns = [draw(120, 2, 6) for _ in range(3)]
    labels = np.stack([np.where(rng.random(len(one)) < 0.1, NAN, one) for _, one, _ in columns], axis=1)
    noise = rng.normal(size=(2, *labels.shape))
    scores = np.round(np.stack([one for one, _, _ in columns], axis=2) + noise, 1)
    return scores[0], scores[1], labels, columns[0][2]


def test_macro_difference_sums_classes_within_patients() -> None:
    a, b, labels, clusters = macro_case(7)
    found = macro_delong(a, b, labels, clusters)
    assert found.difference == pytest.approx(macro_auroc(a, labels) - macro_auroc(b, labels), abs=1e-15)
    total = {name: 0.0 for name in clusters}
    for column in range(3):
        known = ~np.isnan(labels[:, column])
        held, truth = np.array(clusters)[known], labels[known, column]
        for scores, sign in ((a[known, column], 1), (b[known, column], -1)):
            won = pairs(scores, truth)
            for value, placed in ((1, won.mean(axis=1)), (0, won.mean(axis=0))):
                groups = held[truth == value]
                count = len(set(groups))
                for name, part in zip(groups, placed - won.mean(), strict=True):
                    total[name] += sign * part * math.sqrt(count / (count - 1)) / len(groups) / 3
    error = math.sqrt(sum(value**2 for value in total.values()))
    assert found.statistic == pytest.approx(found.difference / error, rel=1e-10)
    assert found.high - found.low == pytest.approx(2 * 1.959964 * error, rel=1e-6)


def test_macro_standard_error_is_that_of_a_patient_bootstrap() -> None:
    a, b, labels, clusters = macro_case(8)
    member = np.unique(clusters, return_inverse=True)[1]
    counts = np.random.default_rng(9).multinomial(120, np.full(120, 1 / 120), size=4000).astype(float)
    gap = np.zeros(4000)
    for column in range(3):
        truth = labels[:, column]
        positive, negative = counts[:, member[truth == 1]], counts[:, member[truth == 0]]
        won = pairs(a[:, column], truth) - pairs(b[:, column], truth)
        gap += ((positive @ won) * negative).sum(axis=1) / positive.sum(axis=1) / negative.sum(axis=1) / 3
    found = macro_delong(a, b, labels, clusters)
    assert (found.high - found.low) / 2 / 1.959964 == pytest.approx(gap.std(), rel=0.05)


def test_one_draw_is_the_macro_test_of_that_draw_and_copies_of_it_add_nothing() -> None:
    a, b, labels, clusters = macro_case(18)
    found = macro_delong(a, b, labels, clusters)
    assert macro_delong(a[None], b[None], labels, clusters) == found
    copied = macro_delong(np.stack([a] * 4), b, labels, clusters)
    assert (copied.statistic, copied.low) == pytest.approx((found.statistic, found.low), rel=1e-12)


def test_draws_are_averaged_before_clusters_are_squared() -> None:
    """Against a patient bootstrap of the macro AUROC averaged over three draws of a and two of b."""
    a, b, labels, clusters = macro_case(19)
    rng = np.random.default_rng(20)
    of_a, of_b = (one + rng.normal(size=(draws, *one.shape)) for one, draws in ((a, 3), (b, 2)))
    member = np.unique(clusters, return_inverse=True)[1]
    counts = rng.multinomial(120, np.full(120, 1 / 120), size=4000).astype(float)
    gap = np.zeros(4000)
    for column in range(3):
        truth = labels[:, column]
        positive, negative = counts[:, member[truth == 1]], counts[:, member[truth == 0]]
        won = np.mean([pairs(one[:, column], truth) for one in of_a], axis=0)
        won = won - np.mean([pairs(one[:, column], truth) for one in of_b], axis=0)
        gap += ((positive @ won) * negative).sum(axis=1) / positive.sum(axis=1) / negative.sum(axis=1) / 3
    found = macro_delong(of_a, of_b, labels, clusters)
    scores = [np.mean([macro_auroc(one, labels) for one in each]) for each in (of_a, of_b)]
    assert found.difference == pytest.approx(scores[0] - scores[1], abs=1e-15)
    assert (found.high - found.low) / 2 / 1.959964 == pytest.approx(gap.std(), rel=0.05)
    with pytest.raises(ValueError, match="no draw"):
        macro_delong(of_a[:0], of_b, labels, clusters)


def test_macro_of_one_scorable_class_is_delongs_test() -> None:
    scores, labels, clusters = draw(50, 2, 10)
    expected = delong_test(delong(scores, labels, clusters))
    a, b = (np.column_stack([one, one]) for one in scores)
    found = macro_delong(a, b, np.column_stack([labels, np.zeros_like(labels)]), clusters)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-10)
    assert (found.difference, found.low) == pytest.approx((expected.difference, expected.low), abs=1e-12)


def test_different_patients_add_their_variances() -> None:
    (one, one_labels, one_clusters), (two, two_labels, two_clusters) = draw(70, 1, 11), draw(90, 1, 12)
    first, second = delong(one, one_labels, one_clusters), delong(two[0], two_labels, two_clusters)
    found = delong_unpaired(first, second)
    error = math.sqrt(first.covariance[0, 0] + second.covariance[0, 0])
    assert found.difference == first.auroc[0] - second.auroc[0]
    assert found.statistic == pytest.approx(found.difference / error, rel=1e-12)
    assert delong_unpaired(second, first).p_value == found.p_value
    with pytest.raises(ValueError, match="one method each"):
        delong_unpaired(first, ovarian())


def test_unknown_labels_are_left_out_whatever_their_score() -> None:
    scores, labels, clusters = draw(60, 2, 13)
    hidden = np.random.default_rng(14).random(len(labels)) < 0.3
    expected = delong(
        scores[:, ~hidden], labels[~hidden], [c for c, gone in zip(clusters, hidden, strict=True) if not gone]
    )
    scores[:, hidden], labels[hidden] = NAN, NAN
    found = delong(scores, labels, clusters)
    np.testing.assert_array_equal(found.auroc, expected.auroc)
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-13)
    assert (found.positives, found.negatives, found.clusters) == (
        expected.positives,
        expected.negatives,
        expected.clusters,
    )


def test_only_the_order_of_scores_and_not_that_of_cases_matters() -> None:
    scores, labels, clusters = draw(60, 2, 15)
    found = delong(scores, labels, clusters)
    np.testing.assert_array_equal(delong(np.exp(scores), labels, clusters).covariance, found.covariance)
    order = np.random.default_rng(16).permutation(len(labels))
    shuffled = delong(scores[:, order], labels[order], [clusters[case] for case in order])
    np.testing.assert_allclose(shuffled.covariance, found.covariance, rtol=1e-12)
    np.testing.assert_allclose(delong(-scores, labels, clusters).auroc, 1 - found.auroc, atol=1e-15)


def test_what_has_no_variance_gives_numbers_all_the_same() -> None:
    labels = np.array([0.0, 0, 0, 1, 1])
    perfect, constant = np.arange(5.0), np.ones(5)
    found = delong(np.stack([perfect, constant, np.exp(perfect), -perfect]), labels)
    np.testing.assert_array_equal(found.auroc, [1, 0.5, 1, 0])
    np.testing.assert_array_equal(found.covariance, np.zeros((4, 4)))
    assert auroc_interval(found, 0) == (1, 1)
    same = delong_test(found, 0, 2)
    assert (same.statistic, same.p_value, same.difference, same.low, same.high) == (0, 1, 0, 0, 0)
    apart = delong_test(found, 3, 1)
    assert (apart.statistic, apart.p_value, apart.difference) == (-math.inf, 0, -0.5)


@pytest.mark.parametrize("clustered", [True, False])
def test_a_method_does_not_differ_from_itself(clustered: bool) -> None:
    scores, labels, clusters = draw(200, 1, 17)
    twice = delong(np.concatenate([scores, 3 * scores + 1]), labels, clusters if clustered else None)
    found = delong_test(twice)
    assert (found.statistic, found.p_value, found.difference, found.low, found.high) == (0, 1, 0, 0, 0)
    a, truth = scores.T, labels[:, None]
    assert macro_delong(a, 3 * a + 1, truth, clusters if clustered else None) == found


def test_infinite_scores_are_scores() -> None:
    labels = np.array([0.0, 0, 1, 1, 1, 0])
    scores = np.array([-np.inf, 0.2, np.inf, 0.1, 0.3, np.inf])
    finite = np.array([-9, 0.2, 9, 0.1, 0.3, 9])
    np.testing.assert_array_equal(delong(scores, labels).covariance, delong(finite, labels).covariance)


def test_what_cannot_be_estimated_is_refused() -> None:
    scores, labels, clusters = draw(20, 2, 18)
    with pytest.raises(ValueError, match="NaN"):
        delong(np.where(labels == 1, NAN, scores), labels)
    with pytest.raises(ValueError, match="0 or 1"):
        delong(scores, 2 * labels)
    with pytest.raises(ValueError, match="one value only"):
        placements(scores, np.zeros_like(labels))
    with pytest.raises(ValueError, match="one value only"):
        delong(scores, np.full_like(labels, NAN))
    single = np.zeros_like(labels)
    single[3] = 1
    with pytest.raises(ValueError, match="label 1 is held by one cluster only"):
        delong(scores, single)
    with pytest.raises(ValueError, match="held by one cluster only"):
        delong(scores, labels, ["only"] * len(labels))
    with pytest.raises(ValueError, match="clusters for"):
        delong(scores, labels, clusters[1:])
    with pytest.raises(ValueError, match="for labels of shape"):
        delong(scores[:, 1:], labels)
    with pytest.raises(ValueError, match="between 0 and 1"):
        auroc_interval(delong(scores, labels), level=95)
    with pytest.raises(ValueError, match="no class has both values"):
        macro_delong(scores.T, scores.T, np.zeros_like(scores.T))
    with pytest.raises(ValueError, match="for labels of shape"):
        macro_delong(scores.T, scores.T, labels)


@pytest.mark.slow
def test_false_positives_are_five_in_a_hundred_by_patient_and_more_by_image() -> None:
    """2000 samples of 100 patients with 1 to 4 images, two methods of the same true AUROC."""
    by_patient = by_image = 0
    for seed in range(2000):
        scores, labels, clusters = draw(100, 2, seed)
        by_patient += delong_test(delong(scores, labels, clusters)).p_value < 0.05
        by_image += delong_test(delong(scores, labels)).p_value < 0.05
    assert 0.035 <= by_patient / 2000 <= 0.065
    assert by_image / 2000 > 0.09

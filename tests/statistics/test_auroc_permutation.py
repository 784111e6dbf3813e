"""The fast permutation of macro AUROCs against the general one with scikit-learn's metric."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from benchx.statistics.auroc_permutation import auroc_permutation
from benchx.statistics.paired_tests import swap_permutation

NAN = float("nan")


def case(patients: int, draws: int, seed: int, effect: float = 0.5) -> tuple:
    """Scores [S, N, 3] of two methods with ties, labels with unknown ones and a class without positives, patients."""
    rng = np.random.default_rng(seed)
    member = np.repeat(np.arange(patients), 3)
    labels = (rng.random((len(member), 3)) < 0.4).astype(float)
    labels[:, 2] = 0
    labels[:2, :2] = [[0], [1]]
    unknown = rng.random(labels.shape) < 0.1
    unknown[:2] = False
    a = np.round(rng.normal(size=(draws, *labels.shape)) + (1 + effect) * labels, 1)
    b = np.round(3 * (rng.normal(size=(draws, *labels.shape)) + labels) - 7)
    b[0, :3] = a[0, :3] = 0
    labels[unknown] = NAN
    return a, b, labels, [f"p{one:03d}" for one in member]


def general(a: np.ndarray, b: np.ndarray, labels: np.ndarray, clusters: list[str], permutations: int, seed: int):
    """`swap_permutation` of ranks [N, S, C] with a loop over scikit-learn's AUROC."""
    known = ~np.isnan(labels)

    def ranks(scores: np.ndarray) -> np.ndarray:
        found = np.zeros((scores.shape[1], scores.shape[0], 2))
        for draw, one in enumerate(scores):
            for column in range(2):
                rows = known[:, column]
                found[rows, draw, column] = rankdata(one[rows, column])
        return found

    def metric(scores: np.ndarray) -> float:
        return float(
            np.mean(
                [
                    roc_auc_score(labels[known[:, column], column], scores[known[:, column], draw, column])
                    for draw in range(scores.shape[1])
                    for column in range(2)
                ]
            )
        )

    return swap_permutation(metric, ranks(a), ranks(b), clusters, permutations, seed)


@pytest.mark.parametrize(("patients", "permutations"), [(7, 128), (40, 60)])
@pytest.mark.parametrize("draws", [1, 3])
def test_is_the_general_permutation_with_scikit_learns_metric(patients: int, permutations: int, draws: int) -> None:
    """Seven patients: all 128 patterns; forty: 60 drawn ones, the same as the general test draws."""
    for seed in range(2):
        a, b, labels, clusters = case(patients, draws, seed, effect=0.4)
        expected = general(a, b, labels, clusters, permutations, seed)
        found = auroc_permutation(a, b, labels, clusters, permutations, seed)
        assert found.statistic == pytest.approx(expected.statistic, abs=1e-12)
        assert (found.p_value, found.n, found.smallest_p) == (expected.p_value, expected.n, expected.smallest_p)


def test_a_clear_difference_reaches_the_smallest_p_and_the_sign_turns_with_the_methods() -> None:
    a, b, labels, clusters = case(60, 2, 5, effect=2)
    found = auroc_permutation(a, b, labels, clusters, 400, 0)
    assert found.p_value == found.smallest_p == 1 / 401
    assert auroc_permutation(b, a, labels, clusters, 400, 0).statistic == -found.statistic < 0


def test_only_ranks_matter_so_a_rescaled_method_does_not_differ() -> None:
    a, _, labels, clusters = case(20, 2, 6)
    found = auroc_permutation(a, np.exp(a), labels, clusters, 100, 0)
    assert (found.statistic, found.p_value, found.n) == (0, 1, 0)
    constant = np.zeros_like(a)
    assert auroc_permutation(constant, constant + 3, labels, clusters, 100, 0).p_value == 1


def test_scores_of_unknown_labels_do_not_matter() -> None:
    a, b, labels, clusters = case(20, 2, 7)
    changed = np.where(np.isnan(labels), NAN, a)
    assert auroc_permutation(changed, b, labels, clusters, 100, 0) == auroc_permutation(a, b, labels, clusters, 100, 0)


def test_without_clusters_every_case_is_its_own() -> None:
    a, b, labels, _ = case(10, 1, 8)
    names = [f"{number:03d}" for number in range(len(labels))]
    assert auroc_permutation(a, b, labels, None, 99, 1) == auroc_permutation(a, b, labels, names, 99, 1)


def test_what_cannot_be_is_refused() -> None:
    a, b, labels, clusters = case(10, 2, 9)
    with pytest.raises(ValueError, match=r"\[S, N, C\]"):
        auroc_permutation(a[0], b[0], labels, clusters, 10, 0)
    with pytest.raises(ValueError, match=r"\[S, N, C\]"):
        auroc_permutation(a[:1], b, labels, clusters, 10, 0)
    with pytest.raises(ValueError, match="no class has both values"):
        auroc_permutation(a, b, np.zeros_like(labels), clusters, 10, 0)
    with pytest.raises(ValueError, match="NaN"):
        auroc_permutation(np.full_like(a, NAN), b, labels, clusters, 10, 0)
    with pytest.raises(ValueError, match="clusters for"):
        auroc_permutation(a, b, labels, clusters[1:], 10, 0)
    with pytest.raises(ValueError, match="positive"):
        auroc_permutation(a, b, labels, clusters, 0, 0)
    with pytest.raises(ValueError, match="0, 1 or NaN"):
        auroc_permutation(a, b, np.where(np.arange(30)[:, None] == 9, 2, labels), clusters, 10, 0)

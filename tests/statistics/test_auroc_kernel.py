"""The kernel against scikit-learn on explicitly repeated rows, and against our own weighted AUROC."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.caching import IndexDataCacheFile
from sklearn.metrics import roc_auc_score

from benchx.metrics.classification import auroc
from benchx.statistics import auroc_kernel
from benchx.statistics.auroc_kernel import auroc_replicates
from benchx.statistics.resampling import Draws, draw_clusters, leave_out

NAN = float("nan")


def sample(n: int, c: int, seed: int, step: float = 0.2) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Scores in steps, labels that they follow, a fifth of them unknown, patients with one to several images."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, c)) < np.linspace(0.2, 0.6, c)).astype(float)
    scores = np.round((rng.normal(size=(n, c)) + labels) / step) * step
    labels[rng.random((n, c)) < 0.2] = NAN
    labels[0], labels[1] = 0, 1
    return scores, labels, [f"p{patient}" for patient in np.sort(rng.integers(0, n // 2, n))]


def on_repeated_rows(scores: np.ndarray, labels: np.ndarray, draws: Draws) -> np.ndarray:
    found = np.full((len(draws.counts), labels.shape[1]), NAN)
    for replicate, column in np.ndindex(found.shape):
        rows = np.repeat(np.arange(len(scores)), draws.weights(replicate))
        rows = rows[~np.isnan(labels[rows, column])]
        if len(set(labels[rows, column])) == 2:
            found[replicate, column] = roc_auc_score(labels[rows, column], scores[rows, column])
    return found


@pytest.mark.parametrize("replicates", [1, 64, 100])
@pytest.mark.parametrize("step", [1e-6, 0.5, 2], ids=["no ties", "ties", "heavy ties"])
def test_equals_scikit_learn_on_repeated_rows(step: float, replicates: int) -> None:
    scores, labels, clusters = sample(90, 3, 1, step)
    draws = draw_clusters(clusters, replicates, 3)
    found = auroc_replicates(scores, labels, draws)
    np.testing.assert_allclose(found, on_repeated_rows(scores, labels, draws), rtol=0, atol=1e-12)


def test_equals_our_weighted_auroc_to_the_last_bit_or_so() -> None:
    scores, labels, clusters = sample(400, 2, 4)
    draws = draw_clusters(clusters, 70, 5)
    expected = [[auroc(scores[:, c], labels[:, c], draws.weights(r)) for c in range(2)] for r in range(70)]
    np.testing.assert_allclose(auroc_replicates(scores, labels, draws), expected, rtol=0, atol=1e-15)


def test_all_scores_equal_is_one_half() -> None:
    _, labels, clusters = sample(60, 2, 6)
    draws = draw_clusters(clusters, 130, 7, labels)
    np.testing.assert_array_equal(auroc_replicates(np.full((60, 2), 3.0), labels, draws), np.full((130, 2), 0.5))


def test_infinite_scores_are_ranked_and_negative_zero_ties_with_zero() -> None:
    scores = np.array([[-np.inf], [-0.0], [0.0], [np.inf]])
    labels = np.array([[0.0], [0], [1], [1]])
    np.testing.assert_array_equal(
        auroc_replicates(scores, labels, Draws(np.ones((1, 4), np.uint8), np.arange(4), 0)), [[3.5 / 4]]
    )


def test_a_single_positive_and_the_jackknife() -> None:
    scores, labels, clusters = sample(50, 2, 8)
    labels[:, 0] = 0
    labels[20, 0] = 1
    draws = leave_out(clusters)
    found = auroc_replicates(scores, labels, draws)
    np.testing.assert_allclose(found, on_repeated_rows(scores, labels, draws), rtol=0, atol=1e-12)
    assert np.isnan(found[draws.member[20], 0])
    assert np.isnan(found[:, 0]).sum() == 1


def test_one_patient_with_two_hundred_images_drawn_up_to_255_times() -> None:
    rng = np.random.default_rng(9)
    member = np.array([0] * 200 + [1, 2, 3] * 5)
    scores = rng.normal(size=(215, 1)).round(1)
    labels = (rng.random((215, 1)) < 0.4).astype(float)
    counts = np.array([[255, 255, 255, 255], [255, 0, 1, 0], [0, 1, 0, 2]], np.uint8)
    draws = Draws(counts, member, 0)
    found = auroc_replicates(scores, labels, draws)
    np.testing.assert_allclose(found, on_repeated_rows(scores, labels, draws), rtol=0, atol=1e-12)
    assert found[0, 0] == pytest.approx(auroc(scores[:, 0], labels[:, 0]), abs=1e-15)


def test_sums_beyond_32_bits_are_exact() -> None:
    """400,000 cases that all count 255 times: twice the pairs are 5e15, and the AUROC is known."""
    half = 200_000
    labels = np.repeat([0.0, 1.0], half)[:, None]
    scores = np.concatenate([np.arange(half), np.arange(half)])[:, None]
    draws = Draws(np.full((1, 2), 255, np.uint8), np.arange(2 * half) % 2, 0)
    assert auroc_replicates(scores, labels, draws)[0, 0] == 0.5
    # positive i beats negatives 0 to i + 1: i + 2 of them, but for the last, which beats all
    above = auroc_replicates(scores + 1.5 * labels, labels, draws)[0, 0]
    assert above == pytest.approx(0.5 + (3 * half - 2) / (2 * half**2), abs=1e-15)


def test_what_lacks_a_value_is_nan() -> None:
    scores, labels = np.array([[1.0, 1, 1], [2, 2, 1], [3, 3, 1]]), np.array([[0.0, 1, 1], [1, 1, 1], [1, NAN, 1]])
    draws = Draws(np.array([[1, 1, 1], [0, 2, 1], [3, 0, 0], [0, 0, 0]], np.uint8), np.arange(3), 0)
    np.testing.assert_array_equal(
        auroc_replicates(scores, labels, draws), [[1, NAN, NAN], [NAN] * 3, [NAN] * 3, [NAN] * 3]
    )


@given(
    rows=st.lists(
        st.tuples(st.integers(-2, 2), st.sampled_from([0.0, 1.0, NAN]), st.integers(0, 4), st.integers(0, 255)),
        min_size=1,
        max_size=30,
    )
)
@settings(max_examples=100, deadline=None)
def test_equals_the_definition_over_all_pairs(rows: list[tuple[int, float, int, int]]) -> None:
    """Any ties, labels, clusters and counts (one per cluster: that of its last case)."""
    scores, labels, member = (np.array([row[field] for row in rows]) for field in range(3))
    counts = np.zeros((1, 5), np.uint8)
    counts[0, member] = [row[3] for row in rows]
    draws = Draws(counts, member, 0)
    times = draws.weights(0)
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    won = sum(times[p] * times[n] * (np.sign(scores[p] - scores[n]) + 1) / 2 for p in positive for n in negative)
    pairs = times[positive].sum() * times[negative].sum()
    found = auroc_replicates(scores[:, None].astype(float), labels[:, None], draws)[0, 0]
    np.testing.assert_allclose(found, won / pairs if pairs else NAN, rtol=0, atol=1e-15)


def test_two_threads_find_what_one_does() -> None:
    jobs = [sample(300, 3, seed) for seed in range(4)]
    work = [(scores, labels, draw_clusters(clusters, 200, 0)) for scores, labels, clusters in jobs]
    alone = [auroc_replicates(*job) for job in work]
    with ThreadPoolExecutor(2) as pool:
        for ours, theirs in zip(pool.map(lambda job: auroc_replicates(*job), work), alone, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_the_arguments_are_left_as_they_are_and_need_not_be_contiguous() -> None:
    scores, labels, clusters = sample(80, 2, 10)
    draws = draw_clusters(clusters, 66, 11)
    turned = Draws(np.asfortranarray(draws.counts), draws.member, 0)
    before = [a.copy() for a in (scores, labels, draws.counts)]
    found = auroc_replicates(scores, labels, draws)
    np.testing.assert_array_equal(found, auroc_replicates(np.asfortranarray(scores), np.asfortranarray(labels), turned))
    for kept, now in zip(before, (scores, labels, draws.counts), strict=True):
        np.testing.assert_array_equal(kept, now)


@pytest.mark.parametrize("trouble", ["no folder", "disk full"])
def test_works_where_no_cache_can_be_written(trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if trouble == "no folder":
        (tmp_path / "file").touch()
        monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file"))
        monkeypatch.setattr(
            numba.core.caching.CacheImpl, "_locator_classes", [numba.core.caching.UserProvidedCacheLocator]
        )
        with pytest.raises(RuntimeError, match="cannot cache"):
            numba.njit(cache=True)(auroc_kernel._count_pairs)
    else:
        monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

        def full(*_args: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(IndexDataCacheFile, "save", full)
    auroc_kernel._compiled.cache_clear()
    scores, labels = np.array([[1.0], [2]]), np.array([[0.0], [1]])
    draws = Draws(np.ones((1, 2), np.uint8), np.arange(2), 0)
    np.testing.assert_array_equal(auroc_replicates(scores, labels, draws), [[1.0]])
    auroc_kernel._compiled.cache_clear()


def test_what_cannot_be_scored_is_refused() -> None:
    scores, labels, clusters = sample(20, 2, 15)
    draws = draw_clusters(clusters, 3, 0)
    with pytest.raises(ValueError, match="scores of labelled cases are NaN"):
        auroc_replicates(np.full((20, 2), NAN), labels, draws)
    with pytest.raises(ValueError, match="0, 1 or NaN"):
        auroc_replicates(scores, labels + 1, draws)
    for few, fewer in ((scores[1:], labels), (scores[1:], labels[1:]), (scores[:, 0], labels[:, 0])):
        with pytest.raises(ValueError, match="differ"):
            auroc_replicates(few, fewer, draws)
    with pytest.raises(ValueError, match="uint8"):
        auroc_replicates(scores, labels, Draws(draws.counts.astype(int), draws.member, 0))
    with pytest.raises(ValueError, match="not drawn from"):
        auroc_replicates(scores, labels, Draws(draws.counts[:, :2], draws.member, 0))
    unlabelled = np.where(np.isnan(labels), NAN, scores)
    np.testing.assert_array_equal(auroc_replicates(unlabelled, labels, draws), auroc_replicates(scores, labels, draws))


def test_more_cases_than_the_sums_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert auroc_kernel._MOST_CASES * 255 < 2**31
    scores, labels, clusters = sample(20, 2, 16)
    monkeypatch.setattr(auroc_kernel, "_MOST_CASES", 19)
    with pytest.raises(ValueError, match="20 cases, and pairs are counted for 19"):
        auroc_replicates(scores, labels, draw_clusters(clusters, 1, 0))

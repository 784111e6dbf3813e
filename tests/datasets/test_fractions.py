from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchx.datasets.fractions import draw_fraction

RNG = np.random.default_rng(0)
CLUSTERS = np.array([f"p{i}" for i in RNG.integers(0, 500, 1200)])
LABELS = (RNG.random((1200, 6)) < [0.3, 0.1, 0.05, 0.01, 0.004, 0.002]).astype(np.float32)
ROWS = np.arange(100, 1200)


def draw(fraction: float, seed: int = 0, smallest: float = 0.01, rows: np.ndarray = ROWS) -> np.ndarray:
    return draw_fraction(rows, CLUSTERS, LABELS, fraction=fraction, smallest=smallest, seed=seed, name="d/train")


@pytest.mark.parametrize("seed", range(20))
def test_fractions_are_nested_and_of_whole_patients(seed):
    small, middle, all_rows = draw(0.01, seed), draw(0.1, seed), draw(1.0, seed)
    assert set(small) <= set(middle) <= set(all_rows) == set(ROWS)
    for rows in (small, middle):
        kept = set(CLUSTERS[rows])
        assert [row for row in ROWS if CLUSTERS[row] in kept] == list(rows)
    patients = len(set(CLUSTERS[ROWS]))
    assert len(set(CLUSTERS[middle])) == round(0.1 * patients)
    assert len(set(CLUSTERS[small])) == round(0.01 * patients)


@pytest.mark.parametrize("seed", range(20))
def test_every_class_keeps_a_positive_where_there_is_room(seed):
    assert (LABELS[draw(0.1, seed, smallest=0.1)] == 1).any(axis=0).all()


def test_seeds_draw_differently_and_one_seed_always_the_same():
    assert list(draw(0.1, 1)) != list(draw(0.1, 2))
    assert list(draw(0.1, 1)) == list(draw(0.1, 1))


def test_a_fraction_of_very_few_patients_keeps_one():
    rows = ROWS[np.isin(CLUSTERS[ROWS], sorted(set(CLUSTERS))[:20])]
    assert len(set(CLUSTERS[draw(0.01, rows=rows)])) == 1


def test_no_rows_stay_no_rows():
    assert len(draw(0.1, rows=np.array([], int))) == 0


@given(st.integers(1, 60), st.integers(0, 5), st.sampled_from([0.01, 0.1, 0.34, 0.5]))
@settings(max_examples=60, deadline=None)
def test_nothing_is_drawn_that_was_not_there(size, seed, fraction):
    rows = np.sort(np.random.default_rng(size).choice(1200, size, replace=False))
    kept = draw(fraction, seed, smallest=0.01, rows=rows)
    assert set(kept) <= set(rows)
    assert len(kept) >= 1

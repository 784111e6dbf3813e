from __future__ import annotations

import numpy as np
import pytest

from benchx.datasets.audit import neighbours
from benchx.datasets.audit.groups import join, join_equal, several
from benchx.datasets.audit.neighbours import pairs_alike


def _random(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(90, 12))


def _clustered(rng: np.random.Generator) -> np.ndarray:
    centres = rng.normal(size=(6, 12))
    signs = rng.choice([-1, 1], (90, 1))
    return signs * (centres[rng.integers(0, 6, 90)] + rng.normal(size=(90, 12)) * 0.3)


@pytest.mark.parametrize("make", [_random, _clustered])
@pytest.mark.parametrize("seed", range(5))
def test_every_pair_that_brute_force_finds_is_found_and_no_other(make, seed, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 16)
    vectors = make(np.random.default_rng(seed)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    exact = vectors.astype(float) @ vectors.T.astype(float)
    expected = {(i, j) for i in range(90) for j in range(i + 1, 90) if abs(exact[i, j]) >= 0.8}
    found = [tuple(pair) for _, pairs in pairs_alike(vectors, 0.8) for pair in pairs.tolist()]
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert expected or make is _random


def test_pairs_link_into_groups():
    group = np.arange(8)
    join(group, [(5, 3), (7, 5), (1, 0)])
    join_equal(group, [2, 4, 6], ["a", "b", "a"])
    assert [members.tolist() for members in several(group)] == [[0, 1], [2, 6], [3, 5, 7]]


def test_a_chain_joined_from_its_far_end_is_one_group():
    group = np.arange(500)
    join(group, [(i, i + 1) for i in reversed(range(499))])
    assert not group.any()

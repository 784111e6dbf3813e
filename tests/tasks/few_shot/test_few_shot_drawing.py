"""Draws of few shots: nested, the same everywhere, one case of a patient while there are patients enough."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from benchx.tasks.few_shot.drawing import case_keys, draw_order, draw_pairs

NAN = float("nan")


def orders(cases: int, draws: int, dataset: str = "nih", fold: int = 0) -> np.ndarray:
    keys = case_keys(dataset, [f"i{case}" for case in range(cases)])
    return np.stack([draw_order(keys, dataset, fold, draw) for draw in range(draws)])


def test_an_order_is_a_permutation_of_its_own_and_the_same_for_ever():
    found = orders(50, 20)
    assert (np.sort(found, axis=1) == np.arange(50)).all()
    assert len({tuple(one) for one in found}) == 20
    assert splitmix64(0) == 0xE220A8397B1DCDAF, "the first number of the generator at seed 0"
    assert [one.tolist() for one in found[:3]] == [by_hand(50, 0, draw) for draw in range(3)]
    assert found[0].tolist() != orders(50, 1, fold=1)[0].tolist()
    assert found[0].tolist() != orders(50, 1, dataset="rsna")[0].tolist()


def splitmix64(value: int) -> int:
    """The generator's published finaliser in whole numbers of Python."""
    value = (value + 0x9E3779B97F4A7C15) % 2**64
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
    return value ^ (value >> 31)


def by_hand(cases: int, fold: int, draw: int) -> list[int]:
    def number(*parts: object) -> int:
        digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
        return int(int.from_bytes(digest[:8], "big") / 2**64 * 2**53)

    seed = splitmix64(number("few-shot", "nih", fold, draw))
    return sorted(range(cases), key=lambda case: splitmix64(number("few-shot", "nih", f"i{case}") ^ seed))


def test_the_order_of_two_cases_does_not_depend_on_which_others_there_are():
    names = [f"i{case}" for case in range(40)]
    keys = case_keys("nih", names)
    place = np.argsort(draw_order(keys, "nih", 0, 3))
    fewer = np.argsort(draw_order(keys[::2], "nih", 0, 3))
    assert (np.argsort(place[::2]) == np.argsort(fewer)).all()


def test_every_case_is_drawn_equally_often():
    """2000 draws of one of 20 positives: counts of mean 100 and standard deviation 9.7; five of these are allowed."""
    labels = np.repeat([1.0, 0.0], 20)
    first = [draw_pairs(order, labels, np.arange(40))[0] for order in orders(40, 2000)]
    counts = np.bincount(np.ravel(first), minlength=40)
    assert (np.abs(counts - 100) < 49).all()
    assert counts.std() > 3


def test_a_draw_has_sixteen_of_each_from_patients_of_their_own():
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, NAN], 200)
    units = rng.integers(0, 90, 200)
    for order in orders(200, 10):
        pairs = draw_pairs(order, labels, units)
        assert pairs.shape == (16, 2)
        assert (labels[pairs] == [1, 0]).all()
        assert len(np.unique(pairs)) == pairs.size
        assert len(np.unique(units[pairs])) == pairs.size


@pytest.mark.parametrize("rare", [0, 1])
def test_the_patients_of_a_rare_value_are_not_used_up_by_the_other(rare):
    """16 patients hold the rare value, each also the other one, which 16 more hold."""
    labels = np.repeat([rare, 1 - rare, 1 - rare], 16).astype(float)
    units = np.concatenate([np.arange(16), np.arange(16), np.arange(16, 32)])
    for order in orders(48, 20):
        assert len(np.unique(units[draw_pairs(order, labels, units)])) == 32


def test_a_patient_gives_a_second_case_after_every_other():
    labels = np.array([1, 1, 1, 1, 0, 0, 0, 0.0])
    units = np.array([0, 0, 0, 1, 2, 3, 0, 1])
    for order in orders(8, 30):
        pairs = draw_pairs(order, labels, units)
        assert len(np.unique(pairs)) == 8
        assert set(units[pairs[:2, 0]]) == {0, 1}
        assert set(units[pairs[:2, 1]]) == {2, 3}


def test_what_there_are_too_few_of_is_drawn_as_far_as_it_goes():
    (order,) = orders(5, 1)
    assert draw_pairs(order, np.array([1, 1, 0, 0, 0.0]), np.arange(5)).shape == (2, 2)
    assert draw_pairs(order, np.array([0, 0, 0, NAN, 0.0]), np.arange(5)).shape == (0, 2)
    assert draw_pairs(order, np.ones(5), np.zeros(5, int)).shape == (0, 2)


@pytest.mark.parametrize("units", [np.zeros(6, int), np.arange(6)])
def test_one_patient_alone_can_be_drawn_from(units):
    for order in orders(6, 5):
        pairs = draw_pairs(order, np.array([1, 1, 1, 0, 0, 0.0]), units)
        assert len(np.unique(pairs)) == 6

"""Compact letter display: sharing a letter means not told apart, and no letter is needless."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchx.statistics.letters import compact_letters


def _letters(text: str) -> set[str]:
    found = re.findall(r"[a-zA-Z]\d*", text)
    assert "".join(found) == text
    return set(found)


def _symmetric(count: int, pairs: list[tuple[int, int]]) -> np.ndarray:
    different = np.zeros((count, count), bool)
    for first, second in pairs:
        different[first, second] = different[second, first] = True
    return different


@st.composite
def _matrices(draw):
    count = draw(st.integers(1, 12))
    seed, share = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0.1, 0.3, 0.5, 0.8]))
    upper = np.triu(np.random.default_rng(seed).random((count, count)) < share, 1)
    return upper | upper.T


@settings(max_examples=200, deadline=None)
@given(different=_matrices())
def test_two_methods_share_a_letter_if_and_only_if_they_are_not_told_apart(different):
    names = [f"m{place}" for place in range(len(different))]
    held = [_letters(text) for text in compact_letters(names, different).values()]
    for first, one in enumerate(held):
        for second, other in enumerate(held):
            assert bool(one & other) == (not different[first, second])
    assert "a" in held[0]
    for letter in set.union(*held):
        without = [one - {letter} for one in held]
        joined = [[bool(one & other) for other in without] for one in without]
        assert not np.array_equal(joined, ~different), f"{letter} is needless"


def test_a_method_between_two_that_differ_has_both_letters():
    assert compact_letters(["best", "middle", "worst"], _symmetric(3, [(0, 2)])) == {
        "best": "a",
        "middle": "ab",
        "worst": "b",
    }


def test_all_alike_share_one_letter_and_all_different_have_their_own():
    names = list("pqrs")
    assert set(compact_letters(names, np.zeros((4, 4), bool)).values()) == {"a"}
    assert list(compact_letters(names, ~np.eye(4, dtype=bool)).values()) == ["a", "b", "c", "d"]
    assert compact_letters([], np.zeros((0, 0), bool)) == {}
    assert compact_letters(["only"], np.zeros((1, 1), bool)) == {"only": "a"}


def test_after_z_come_capitals_and_then_numbered_letters():
    letters = list(compact_letters([str(place) for place in range(106)], ~np.eye(106, dtype=bool)).values())
    assert letters[25:27] == ["z", "A"]
    assert letters[51:53] == ["Z", "a1"]
    assert letters[103:] == ["Z1", "a2", "b2"]


def test_a_letter_that_the_others_make_needless_is_left_out():
    # Not told apart: the triangle 0-1-2 and, on each of its sides, a further method. Insert-and-absorb alone gives 4
    # letters.
    alike = {(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (1, 4), (2, 4), (0, 5), (2, 5)}
    pairs = [(a, b) for a in range(6) for b in range(a + 1, 6) if (a, b) not in alike]
    assert len(set.union(*map(_letters, compact_letters([*"uvwxyz"], _symmetric(6, pairs)).values()))) == 3


def test_forty_methods_with_differences_at_random_take_no_forest_of_letters():
    upper = np.triu(np.random.default_rng(0).random((40, 40)) < 0.5, 1)
    letters = compact_letters([str(place) for place in range(40)], upper | upper.T)
    assert 40 < len(set.union(*map(_letters, letters.values()))) < 400


@pytest.mark.parametrize(
    ("names", "different", "message"),
    [
        (["x", "x"], np.zeros((2, 2)), "twice"),
        (["x", "y"], np.zeros((3, 3)), "2 x 2"),
        (["x", "y"], np.eye(2), "differs from itself"),
        (["x", "y"], np.array([[0, 1], [0, 0]]), "symmetric"),
    ],
)
def test_what_is_no_matrix_of_comparisons_is_refused(names, different, message):
    with pytest.raises(ValueError, match=message):
        compact_letters(names, different)

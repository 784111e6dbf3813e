"""A number and its noun."""

from __future__ import annotations

import pytest

from benchx.words import agreeing, plural


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (0, ("draw",), "0 draws"),
        (1, ("draw",), "1 draw"),
        (2, ("test case",), "2 test cases"),
        (1, ("study", "studies"), "1 study"),
        (3, ("study", "studies"), "3 studies"),
    ],
)
def test_a_noun_goes_with_its_number(count, words, text):
    assert plural(count, *words) == text
    assert agreeing(count, *words) == text.split(" ", 1)[1]

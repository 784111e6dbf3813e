"""Compact letter display: which methods are not told apart, in one short string per method.

Two methods share a letter if and only if no difference between them was found. Letters come from the insert-and-absorb
algorithm of Piepho (2004, Journal of Computational and Graphical Statistics 13:456-466); a letter that the others make
needless is then left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_letters

import numpy as np


def compact_letters(methods: Sequence[str], different: np.ndarray) -> dict[str, str]:
    """Return the letters of every method, 'a' first, so that the best method always has an 'a'.

    Letters run a to z, A to Z, then a1 to Z1, a2 to Z2, and so on: a digit belongs to the letter before it, so a string
    is read without separators.

    Args:
        methods: M names, the best first.
        different: bool [M, M], symmetric; a comparison that could not be made is not a difference.

    Raises:
        ValueError: a name occurs twice, or `different` is not a symmetric [M, M] with a false diagonal.
    """
    different = np.asarray(different, dtype=bool)
    count = len(methods)
    if len(set(methods)) != count:
        raise ValueError("a method occurs twice")
    if different.shape != (count, count):
        raise ValueError(f"{count} methods need a matrix of {count} x {count} comparisons, not {different.shape}")
    if different.diagonal().any() or not np.array_equal(different, different.T):
        raise ValueError("comparisons must be symmetric, and no method differs from itself")
    letters = {method: "" for method in methods}
    for number, group in enumerate(_needed(_insert_and_absorb(different), count)):
        for member in group:
            letters[methods[member]] += _letter(number)
    return letters


def split_letters(text: str) -> list[str]:
    """Return the letters of one method, each with the digits that belong to it."""
    return re.findall(r"[A-Za-z]\d*", text)


def _insert_and_absorb(different: np.ndarray) -> list[list[int]]:
    """Return every largest set of methods without a difference inside, ordered by the members' places.

    A set is a whole number whose bit i says that method i is in it.
    """
    count = len(different)
    sets = [(1 << count) - 1] if count else []
    for first, second in zip(*np.nonzero(np.triu(different)), strict=True):
        one, other = 1 << int(first), 1 << int(second)
        kept = [members for members in sets if not (members & one and members & other)]
        split = [members for members in sets if members & one and members & other]
        halves = {half for members in split for half in (members & ~one, members & ~other)}
        sets = kept + [
            half
            for half in halves
            if not any(half & members == half for members in kept)
            and not any(half & members == half != members for members in halves)
        ]
    return sorted([place for place in range(count) if members >> place & 1] for members in sets)


def _needed(groups: list[list[int]], count: int) -> list[list[int]]:
    """Leave out, from the last group on, every group whose pairs all share another letter."""
    shared = np.zeros((count, count), int)
    for group in groups:
        shared[np.ix_(group, group)] += 1
    needed = []
    for group in reversed(groups):
        pairs = np.ix_(group, group)
        if shared[pairs].min() > 1:
            shared[pairs] -= 1
        else:
            needed.append(group)
    return needed[::-1]


def _letter(number: int) -> str:
    again, place = divmod(number, len(ascii_letters))
    return ascii_letters[place] + (str(again) if again else "")

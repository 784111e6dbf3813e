"""Words that agree with a number."""

from __future__ import annotations


def agreeing(count: int, one: str, many: str | None = None) -> str:
    """Return the form of a word that goes with a number: `draw` with 1, `draws` with 0 or 2.

    Args:
        count: of the things.
        one: the word for one of them.
        many: for any other number; without it `one` with an s.
    """
    return one if count == 1 else many or f"{one}s"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Write a number of things: `1 draw`, `3 draws`, `2 studies`; see `agreeing`."""
    return f"{count} {agreeing(count, one, many)}"

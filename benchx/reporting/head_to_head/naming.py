"""Read `ADAPTED:BASE`; names of methods may hold colons themselves, as `random:METHOD` and `timm:MODEL` do."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from benchx.errors import UsageError, unknown_name

Names = tuple[str, str]


def read_pairs(texts: Sequence[str], known: Collection[str]) -> list[Names]:
    """Return the adapted method and the base of every text.

    Args:
        texts: `ADAPTED:BASE`.
        known: names of methods.

    Raises:
        UsageError: a text has no colon, names a method that is not known (the nearest is suggested) or one method
            twice, can be read in two ways, or comes twice.
    """
    pairs = [_read(text, known) for text in texts]
    for adapted, base in pairs:
        if adapted == base:
            raise UsageError(f"'{adapted}' is set against itself", "a pair is two methods", "name the base it is from")
        if pairs.count((adapted, base)) > 1:
            raise UsageError(f"'{adapted}:{base}' is given twice", "it would count twice in the rates", "give it once")
    return pairs


def _read(text: str, known: Collection[str]) -> Names:
    pieces = text.split(":")
    ways = [(":".join(pieces[:cut]), ":".join(pieces[cut:])) for cut in range(1, len(pieces))]
    ways = [(adapted, base) for adapted, base in ways if adapted and base]
    if not ways:
        raise UsageError(
            f"--pairs {text} is not ADAPTED:BASE", "the ':' or a side of it is missing", "give e.g. biovil:cxr-bert"
        )
    whole = [way for way in ways if way[0] in known and way[1] in known]
    if len(whole) > 1:
        both = " or ".join(f"'{adapted}' against '{base}'" for adapted, base in whole)
        raise UsageError(f"--pairs {text} can be read in two ways", both, "give one of the methods another name")
    if whole:
        return whole[0]
    nearest = max(ways, key=lambda way: (way[0] in known) + (way[1] in known))
    raise unknown_name("method", next(name for name in nearest if name not in known), known)

"""Why a checkpoint does not fill an encoder, and what would have fitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchx.errors import CheckpointError
from benchx.methods.card import Card, card_names, read_card
from benchx.methods.checkpoints import Named, containers
from benchx.methods.coverage import Coverage, cover
from benchx.methods.encoders import build_encoder
from benchx.methods.encoders.base import Encoder

SHOWN = 4


def does_not_fill(card: Card, path: Path, tree: Any, coverage: Coverage) -> CheckpointError:
    """Build the error for a checkpoint that leaves encoder tensors without weights.

    It lists some of them and what was left over, then names what fits: another method's card, or another
    container and prefix for this card, or says that the file is incomplete or another method's.
    """
    total = len(coverage.missing) + len(coverage.wrong_shape) + len(coverage.filled)
    parts = []
    if coverage.missing:
        parts.append(f"missing: {_some(coverage.missing)}")
    if coverage.wrong_shape:
        shapes = [f"{name} {want} is {have}" for name, (want, have) in coverage.wrong_shape.items()]
        parts.append(f"wrong shape: {_some(shapes)}")
    groups = [f"{group}.* ({count})" for group, count in Counter(coverage.unused).most_common()]
    parts.append(f"left over: {_some(groups) or 'nothing'}")
    return CheckpointError(
        f"{path.name} fills {len(coverage.filled)} of {total} tensors of '{card.name}'",
        "; ".join(parts),
        what_fits(card, tree) or _page(card, "incomplete" if coverage.filled else "another method's"),
    )


def what_fits(card: Card, tree: Any) -> str:
    """Say which card, or which container and prefix of this card, a file fits; empty if none."""
    inside = containers(tree)
    for name in card_names():
        other = read_card(name)
        named = inside.get(other.layout.container)
        if name != card.name and other.weights.seed is None and named and _fits(other, named):
            return f"the file fits the method '{name}': use that"
    for keys, named in inside.items():
        for prefix in _prefixes(named, len(_on_meta(card).expected())):
            layout = card.layout.model_copy(update={"container": keys, "prefix": prefix})
            if _fits(card.model_copy(update={"layout": layout}), named):
                return (
                    f"it would fit with prefix '{prefix}' in container {list(keys)}: copy the card, set "
                    "layout.prefix and layout.container to these, and give the copy as the method"
                )
    return ""


def _page(card: Card, state: str) -> str:
    return f"the file is {state}: the official one is on {card.weights.page or card.code}"


def _on_meta(card: Card) -> Encoder:
    with torch.device("meta"):
        return build_encoder(card)


def _fits(card: Card, named: Named) -> bool:
    try:
        return cover(named, card.layout, _on_meta(card)).complete
    except CheckpointError:
        return False


def _prefixes(named: Named, expected: int) -> Iterator[str]:
    """Yield the dotted prefixes that enough tensors share to fill an encoder, shortest first."""
    counts: Counter[str] = Counter()
    for name in named:
        parts = name.split(".")
        counts.update(".".join(parts[:depth]) + "." * (depth > 0) for depth in range(len(parts)))
    # BatchNorm's counters may be absent: one tensor in six at most.
    yield from sorted((prefix for prefix, count in counts.items() if count >= expected * 5 // 6), key=len)


def _some(values: Iterable[str]) -> str:
    shown = list(values)
    rest = len(shown) - SHOWN
    return ", ".join(shown[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")

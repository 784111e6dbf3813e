"""Why a checkpoint does not fill a part of a method, and what would have fitted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from benchx.digests import digest_json
from benchx.errors import CheckpointError
from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Card, Layout
from benchx.methods.checkpoints.reading import Named, containers
from benchx.methods.coverage import Coverage, Shape, cover, unused
from benchx.methods.encoders import build_encoder
from benchx.methods.encoders.base import Encoder
from benchx.methods.parts import Part
from benchx.methods.text import build_tower
from benchx.resources import resource_dir

SHOWN = 4
_BUILT: dict[str, Mapping[str, Shape]] = {}
"""What has been built to see what fits; many methods share an encoder."""


def does_not_fill(
    card: Card, path: Path, tree: Any, named: Named, coverage: Coverage, part: Part, layout: Layout, role: str
) -> CheckpointError:
    """Build the error for a checkpoint that leaves tensors of a part without weights.

    It lists some of them and what was left over, then names what fits: another method's card, another image
    size, or another container and prefix for this card; or says that the file is incomplete or another method's.
    """
    total = len(coverage.missing) + len(coverage.wrong_shape) + len(coverage.filled)
    parts = []
    if coverage.missing:
        parts.append(f"missing: {_some(coverage.missing)}")
    if coverage.wrong_shape:
        shapes = [f"{name} {want} is {have}" for name, (want, have) in coverage.wrong_shape.items()]
        parts.append(f"wrong shape: {_some(shapes)}")
    groups = [f"{group}.* ({count})" for group, count in Counter(unused(named, coverage.taken)).most_common()]
    parts.append(f"left over: {_some(groups) or 'nothing'}")
    remedy = _other_size(coverage, part) or _other_card(card, tree, part) or _other_place(tree, part, layout)
    return CheckpointError(
        f"{path.name} fills {len(coverage.filled)} of {total} tensors of the {role} of '{card.name}'",
        "; ".join(parts),
        remedy or _misfit(card, coverage, named, layout),
    )


def what_fits(card: Card, tree: Any, part: Part, layout: Layout) -> str:
    """Say which card, or which container and prefix of this card, a file fits; empty if none."""
    return _other_card(card, tree, part) or _other_place(tree, part, layout)


def _other_size(coverage: Coverage, part: Part) -> str:
    """Recognise position embeddings of another image size as the only misfit."""
    if coverage.missing or not isinstance(part, Encoder):
        return ""
    sides = {_side(have, part.patch_size) for name, (_, have) in coverage.wrong_shape.items() if "pos_embed" in name}
    if len(sides) != 1 or len(coverage.wrong_shape) != 1 or None in sides:
        return ""
    return f"the file is for images of {sides.pop()} px: copy the card and set input.size to that"


def _side(shape: Shape, patch_size: int) -> int | None:
    places = shape[-2] - 1 if len(shape) > 1 else 0
    side = math.isqrt(max(places, 0))
    return side * patch_size if places > 0 and side * side == places else None


def _other_card(card: Card, tree: Any, part: Part) -> str:
    if not isinstance(part, Encoder) and card.encoder is not None:
        return ""
    inside = containers(tree)
    shipped = sorted(path.stem for path in resource_dir("baselines").glob("*.yaml"))
    for other in map(read_card, shipped):
        if other.name == card.name or other.weights.seed is not None:
            continue
        layout = other.text.layout if other.encoder is None and other.text is not None else other.layout
        named = inside.get(layout.container)
        if named and any(name.startswith(layout.prefix) for name in named) and _fits(_expected(other), layout, named):
            return f"the file fits the method '{other.name}': use that"
    return ""


def _other_place(tree: Any, part: Part, layout: Layout) -> str:
    expected = part.expected()
    for keys, named in containers(tree).items():
        for prefix in _prefixes(named, len(expected)):
            if _fits(expected, layout.model_copy(update={"container": keys, "prefix": prefix}), named):
                return (
                    f"it would fit with prefix '{prefix}' in container {list(keys)}: copy the card, set "
                    "layout.prefix and layout.container to these, and give the copy as the method"
                )
    return ""


def _misfit(card: Card, coverage: Coverage, named: Named, layout: Layout) -> str:
    """Say what a file is that nothing fits."""
    page = f"the official one is on {card.weights.page or card.code}"
    if not coverage.filled:
        return f"the file is another method's: {page}"
    left = sum(name.startswith(layout.prefix) and name not in coverage.taken for name in named)
    if not coverage.missing:
        return f"the file is of another variant of the network: {page}; or mend the card's encoder and input"
    if left >= len(coverage.missing):
        return f"names differ: {page}; or map those left over to the missing ones in the card's layout.rename"
    return f"the file is incomplete: {page}"


def _expected(card: Card) -> Mapping[str, Shape]:
    """Return the tensors of a card's image encoder, or of its text tower if it reads only text."""
    built = card.text if card.encoder is None else card.encoder
    size = card.input.size if card.input is not None else None
    key = digest_json([built.model_dump(mode="json") if built is not None else None, size, card.pooling])
    if key not in _BUILT:
        with torch.device("meta"):
            _BUILT[key] = (build_tower(card) if card.encoder is None else build_encoder(card)).expected()
    return _BUILT[key]


def _fits(expected: Mapping[str, Shape], layout: Layout, named: Named) -> bool:
    try:
        return cover(named, layout, expected).complete
    except CheckpointError:
        return False


def _prefixes(named: Named, expected: int) -> Iterator[str]:
    """Yield the dotted prefixes that enough tensors share to fill a part, shortest first."""
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

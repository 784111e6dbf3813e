"""Match a checkpoint's tensors with a part's: what is filled, what is missing, what is left over."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from benchx.errors import CheckpointError
from benchx.methods.cards.schema import Layout
from benchx.methods.checkpoints.reading import Named

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Coverage:
    """How a checkpoint fills a part (an encoder, a text tower, a scorer); names without `trunk.`.

    Attributes:
        filled: the part's tensor -> the checkpoint's tensors, several where the layout joins them.
        missing: tensors that the checkpoint does not have.
        wrong_shape: tensor -> (expected shape, shape in the checkpoint).
        taken: the checkpoint's tensors that have a place in the part, also those of a wrong shape.
    """

    filled: Mapping[str, tuple[str, ...]]
    missing: tuple[str, ...]
    wrong_shape: Mapping[str, tuple[Shape, Shape]]
    taken: frozenset[str]

    @property
    def complete(self) -> bool:
        """Whether every tensor has its weights."""
        return not self.missing and not self.wrong_shape


def cover(named: Named, layout: Layout, expected: Mapping[str, Shape]) -> Coverage:
    """Match names and shapes.

    `num_batches_tracked` may be absent (files older than torch 0.4.1).

    Args:
        expected: the part's tensors, name -> shape (`Part.expected`).

    Raises:
        CheckpointError: two tensors of the file claim the same place.
    """
    sources = _targets(named, layout)
    filled: dict[str, tuple[str, ...]] = {}
    missing: list[str] = []
    wrong: dict[str, tuple[Shape, Shape]] = {}
    taken: set[str] = set()
    for name, shape in expected.items():
        found = _sources(name, sources, layout)
        if not found:
            if not name.endswith("num_batches_tracked"):
                missing.append(name)
            continue
        taken |= set(found)
        offered = _offered(name, [tuple(named[source].shape) for source in found], layout, shape)
        if offered == shape:
            filled[name] = found
        else:
            wrong[name] = (shape, offered)
    return Coverage(filled, tuple(missing), wrong, frozenset(taken))


def unused(named: Named, taken: Collection[str]) -> dict[str, int]:
    """Count the tensors that no part takes, by the first two modules in their names.

    The integer `position_ids` and `relative_position_index` buffers of old files are no weights and not counted.
    """
    dull = ("position_ids", "relative_position_index")
    left = (name for name in named if name not in taken and not name.endswith(dull))
    return dict(Counter(".".join(name.split(".")[:-1][:2]) or name for name in left))


def _sources(name: str, sources: Mapping[str, str], layout: Layout) -> tuple[str, ...]:
    if name in sources:
        return (sources[name],)
    for join in layout.join:
        if join.into in name:
            parts = [name.replace(join.into, part) for part in join.parts]
            if all(part in sources for part in parts):
                return tuple(sources[part] for part in parts)
    return ()


def _offered(name: str, shapes: list[Shape], layout: Layout, wanted: Shape) -> Shape:
    """Return the shape that the file's tensors have in the part, by the layout's rules."""
    first = shapes[0]
    if len(shapes) > 1:
        if any(not shape or shape[1:] != first[1:] for shape in shapes):
            return first
        return (sum(shape[0] for shape in shapes), *first[1:])
    if name in layout.transpose and len(first) == 2:
        return first[::-1]
    if name in layout.lead and wanted == (1,) * (len(wanted) - len(first)) + first:
        return wanted
    return first


def _targets(named: Named, layout: Layout) -> dict[str, str]:
    """Return the part's name -> checkpoint name for every tensor under the prefix."""
    rules = [(re.compile(pattern), replacement) for pattern, replacement in layout.rename]
    found: dict[str, str] = {}
    for source in named:
        if not source.startswith(layout.prefix):
            continue
        target = source.removeprefix(layout.prefix)
        for pattern, replacement in rules:
            target = pattern.sub(replacement, target)
        if target in found:
            raise CheckpointError(
                f"two tensors of the checkpoint are both '{target}'",
                f"{found[target]} and {source}",
                "mend the card's layout.rename",
            )
        found[target] = source
    return found

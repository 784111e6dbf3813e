"""Match a checkpoint's tensors with an encoder's: what is filled, what is missing, what is left over."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from benchx.errors import CheckpointError
from benchx.methods.card import Layout
from benchx.methods.checkpoints import Named
from benchx.methods.encoders.base import Encoder


@dataclass(frozen=True)
class Coverage:
    """How a checkpoint fills an encoder; names without `trunk.`.

    Attributes:
        filled: encoder tensor -> checkpoint tensor.
        missing: encoder tensors that the checkpoint does not have.
        wrong_shape: encoder tensor -> (expected shape, shape in the checkpoint).
        unused: number of checkpoint tensors that no encoder tensor takes, by the first two modules in their
            names, without the integer `position_ids` buffers of old text towers.
    """

    filled: Mapping[str, str]
    missing: tuple[str, ...]
    wrong_shape: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    unused: Mapping[str, int]

    @property
    def complete(self) -> bool:
        """Whether every encoder tensor has its weights."""
        return not self.missing and not self.wrong_shape


def cover(named: Named, layout: Layout, encoder: Encoder) -> Coverage:
    """Match names and shapes; the encoder may lie on the meta device.

    `num_batches_tracked` may be absent (files older than torch 0.4.1); tensors that the method starts
    afresh (`encoder.fresh`) are not looked for.

    Raises:
        CheckpointError: two tensors of the file claim the same place.
    """
    sources = _targets(named, layout)
    filled: dict[str, str] = {}
    missing: list[str] = []
    wrong: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    for name, shape in encoder.expected().items():
        source = sources.get(name)
        if source is None:
            if not name.endswith("num_batches_tracked"):
                missing.append(name)
        elif tuple(named[source].shape) != shape:
            wrong[name] = (shape, tuple(named[source].shape))
        else:
            filled[name] = source
    taken = {sources[name] for name in (*filled, *wrong)}
    left = (name for name in named if name not in taken and not name.endswith("position_ids"))
    unused = Counter(".".join(name.split(".")[:-1][:2]) or name for name in left)
    return Coverage(filled, tuple(missing), wrong, dict(unused))


def _targets(named: Named, layout: Layout) -> dict[str, str]:
    """Return encoder name -> checkpoint name for every tensor under the prefix."""
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

"""Fill the parts of a method from checkpoint files, strictly: every tensor comes from the file, or filling fails."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchx.errors import CheckpointError
from benchx.methods.cards.schema import Card, Layout
from benchx.methods.checkpoints.reading import Named, load_tensor, open_container, read_file
from benchx.methods.coverage import Coverage, cover, unused
from benchx.methods.diagnosis import does_not_fill, what_fits
from benchx.methods.parts import Part


@dataclass
class Checkpoint:
    """An open checkpoint file, and which of its tensors the parts of a method took.

    Attributes:
        dtypes: number of tensors taken by their data type in the file.
    """

    card: Card
    path: Path
    tree: Any
    taken: dict[tuple[str, ...], set[str]] = field(default_factory=dict)
    dtypes: Counter[str] = field(default_factory=Counter)

    def unused(self) -> dict[str, int]:
        """Count the tensors that no part took, in the containers that were opened, by the first two modules."""
        left: Counter[str] = Counter()
        for container, taken in self.taken.items():
            left.update(unused(open_container(self.tree, container, self.path), taken))
        return dict(left)


def open_checkpoint(card: Card, path: Path) -> Checkpoint:
    """Read a checkpoint's object tree.

    Raises:
        CheckpointError: the file does not read.
    """
    return Checkpoint(card, path, read_file(path))


def as_stored(layout: Layout, tree: Any) -> Layout:
    """Return a layout as a file has it, where it may lack its container or have a prefix before every name."""
    container = layout.container
    if layout.optional_container and not (isinstance(tree, dict) and isinstance(tree.get(container[0]), dict)):
        container = ()
    node = tree
    for key in container:
        node = node.get(key) if isinstance(node, dict) else None
    names = [name for name in node if isinstance(name, str)] if isinstance(node, dict) else []
    extra = layout.optional_prefix
    wrapped = bool(extra) and any(names) and all(name.startswith(extra) for name in names if "." in name)
    prefix = extra + layout.prefix if wrapped else layout.prefix
    return layout.model_copy(update={"container": container, "prefix": prefix})


def fill(part: Part, layout: Layout, checkpoint: Checkpoint, role: str) -> Coverage:
    """Fill a part that was built on the meta device; floating tensors become float32.

    Args:
        role: what the part is, for errors: "image encoder", "text tower", "scorer", "fusion".

    Raises:
        CheckpointError: a tensor is left without weights, or holds NaN or inf.
    """
    expected = part.expected()
    if not expected:
        part.finish()
        return Coverage({}, (), {}, frozenset())
    card, path, tree = checkpoint.card, checkpoint.path, checkpoint.tree
    layout = as_stored(layout, tree)
    try:
        named = open_container(tree, layout.container, path)
    except CheckpointError as error:
        raise CheckpointError(error.what, error.why, what_fits(card, tree, part, layout) or error.todo) from error
    coverage = cover(named, layout, expected)
    if not coverage.complete:
        raise does_not_fill(card, path, tree, named, coverage, part, layout, role)
    state = {}
    for name, wanted in part.state_dict().items():
        public = name.removeprefix("trunk.")
        sources = coverage.filled.get(public)
        if sources is None:
            value = part.fresh.get(public, 0)
            state[name] = torch.full(wanted.shape, value, dtype=wanted.dtype, device="cpu")
        else:
            state[name] = _tensor(public, sources, named, wanted, layout, checkpoint)
    part.load_state_dict(state, assign=True)
    part.finish()
    checkpoint.taken.setdefault(layout.container, set()).update(coverage.taken)
    return coverage


def _tensor(
    name: str,
    sources: tuple[str, ...],
    named: Named,
    wanted: torch.Tensor,
    layout: Layout,
    checkpoint: Checkpoint,
) -> torch.Tensor:
    """Return a tensor as the part wants it, a copy, so that the part does not depend on the mapped file."""
    found = [load_tensor(named[source]) for source in sources]
    for source, one in zip(sources, found, strict=True):
        checkpoint.dtypes[str(one.dtype).removeprefix("torch.")] += 1
        if one.is_floating_point() != wanted.is_floating_point():
            raise CheckpointError(
                f"'{source}' in {checkpoint.path.name} is {one.dtype}",
                f"'{name}' takes {wanted.dtype}",
                "check that the file belongs to this method",
            )
    value = torch.cat(found) if len(found) > 1 else found[0]
    if name in layout.transpose:
        value = value.T
    value = value.reshape(wanted.shape)
    copy = value.to(wanted.dtype, copy=True, memory_format=torch.contiguous_format)
    if not torch.isfinite(copy).all():
        raise CheckpointError(
            f"'{', '.join(sources)}' in {checkpoint.path.name} holds NaN or infinite weights",
            "the training that wrote the file diverged, or the file is damaged",
            "fetch the file again",
        )
    return copy

"""Load a method's encoder strictly: every tensor comes from the checkpoint, or loading fails."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchx.errors import CheckpointError
from benchx.methods.card import Card, read_card
from benchx.methods.checkpoints import Named, load_tensor, open_container, read_file
from benchx.methods.coverage import Coverage, cover
from benchx.methods.diagnosis import does_not_fill, what_fits
from benchx.methods.encoders import build_encoder
from benchx.methods.encoders.base import Encoder
from benchx.methods.weights import default_root, find_checkpoint


def load(
    method: str | Card,
    checkpoint: Path | str | None = None,
    device: str = "cpu",
    image_size: int | None = None,
) -> Encoder:
    """Load a pretrained encoder, in eval mode.

    Args:
        method: a card, its name, or a card file.
        checkpoint: the official file; without it the package or BENCHX_WEIGHTS is searched.
        device: where the encoder is wanted.
        image_size: side of the images in pixels; without it the card's.

    Raises:
        UsageError: no such method, or the method does not take this image size.
        WeightsMissing: no checkpoint was found.
        CheckpointError: the checkpoint does not read, or does not fill the encoder.
    """
    card = method if isinstance(method, Card) else read_card(method)
    path = find_checkpoint(card, Path(checkpoint) if checkpoint is not None else None, default_root())
    encoder = filled_encoder(card, path).encoder if path is not None else random_encoder(card)
    encoder.resize(image_size or card.input.size)
    return encoder.to(device).eval()


@dataclass(frozen=True)
class Filled:
    """An encoder with the weights of a file.

    Attributes:
        dtypes: number of filled tensors by their data type in the file.
    """

    encoder: Encoder
    coverage: Coverage
    dtypes: dict[str, int]


def random_encoder(card: Card) -> Encoder:
    """Build the encoder with the library's initialisation, drawn from the card's seed.

    The same weights at every call; the caller's random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would also reseed every GPU, which fork_rng(devices=[]) does not restore.
        torch.default_generator.manual_seed(card.weights.seed or 0)
        return build_encoder(card)


def filled_encoder(card: Card, path: Path) -> Filled:
    """Build the encoder and fill it from a checkpoint; floating tensors become float32.

    Raises:
        CheckpointError: the file does not read, leaves a tensor without weights, or holds NaN or inf.
    """
    tree = read_file(path)
    named = _open(card, tree, path)
    with torch.device("meta"):
        encoder = build_encoder(card)
    coverage = cover(named, card.layout, encoder)
    if not coverage.complete:
        raise does_not_fill(card, path, tree, coverage)
    dtypes: Counter[str] = Counter()
    state = {}
    for name, tensor in encoder.state_dict().items():
        public = name.removeprefix("trunk.")
        if public in coverage.filled:
            found = load_tensor(named[coverage.filled[public]])
            dtypes[str(found.dtype).removeprefix("torch.")] += 1
            state[name] = _checked(found, tensor, coverage.filled[public], path)
        else:
            value = encoder.fresh.get(public, 0)
            state[name] = torch.full(tensor.shape, value, dtype=tensor.dtype, device="cpu")
    encoder.load_state_dict(state, assign=True)
    return Filled(encoder, coverage, dict(dtypes))


def _open(card: Card, tree: Any, path: Path) -> Named:
    try:
        return open_container(tree, card.layout.container, path)
    except CheckpointError as error:
        raise CheckpointError(error.what, error.why, what_fits(card, tree) or error.todo) from error


def _checked(found: torch.Tensor, wanted: torch.Tensor, name: str, path: Path) -> torch.Tensor:
    """Return a copy in the wanted type, so that the encoder does not depend on the mapped file."""
    if found.is_floating_point() != wanted.is_floating_point():
        raise CheckpointError(f"'{name}' in {path.name} is {found.dtype}", f"expected {wanted.dtype}", "")
    copy = found.to(wanted.dtype, copy=True, memory_format=torch.contiguous_format)
    if not torch.isfinite(copy).all():
        raise CheckpointError(
            f"'{name}' in {path.name} holds NaN or infinite weights",
            "the training that wrote the file diverged, or the file is damaged",
            "fetch the file again",
        )
    return copy

"""Load a method strictly: every tensor comes from its checkpoint, or loading fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from benchx.errors import WeightsMissing
from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Card
from benchx.methods.encoders import build_encoder
from benchx.methods.encoders.base import Encoder
from benchx.methods.filling import Checkpoint, fill, open_checkpoint
from benchx.methods.scorers import build_scorer
from benchx.methods.text import build_tower
from benchx.methods.text.tokenizer import LocalTokenizer
from benchx.methods.weights import default_root, find_checkpoint, find_text_checkpoint


def load(
    method: str | Card,
    checkpoint: Path | str | None = None,
    device: str = "cpu",
    image_size: int | None = None,
    *,
    text: bool = True,
    text_checkpoint: Path | str | None = None,
) -> Encoder:
    """Load a pretrained method, in eval mode.

    Args:
        method: a card, its name, or a card file.
        checkpoint: the official file; without it the package or BENCHX_WEIGHTS is searched.
        device: where the encoder is wanted.
        image_size: side of the images in pixels; without it the card's.
        text: whether the text side is wanted too, where the method has one.
        text_checkpoint: the file of a text tower whose weights do not come with the method's own; without it
            BENCHX_WEIGHTS is searched. Where it is not found, calls on text raise WeightsMissing.

    Raises:
        UsageError: no such method, or the method does not take this image size.
        WeightsMissing: no checkpoint was found.
        CheckpointError: the checkpoint does not read, or does not fill the method.
    """
    card = method if isinstance(method, Card) else read_card(method)
    path = find_checkpoint(card, _path(checkpoint), default_root())
    encoder = random_encoder(card) if path is None else filled(card, path, text, _path(text_checkpoint)).encoder
    if card.input is not None:
        encoder.resize(image_size or card.input.size)
    return encoder.to(device).eval()


@dataclass(frozen=True)
class Filled:
    """A method with the weights of a file.

    Attributes:
        filled: number of tensors by part: "image encoder", "text tower", "scorer".
        unused: number of the file's tensors that no part took, by the first two modules in their names.
        dtypes: number of tensors taken by their data type in the file.
    """

    encoder: Encoder
    filled: Mapping[str, int]
    unused: Mapping[str, int]
    dtypes: Mapping[str, int]


def random_encoder(card: Card) -> Encoder:
    """Build the encoder with the library's initialisation, drawn from the card's seed.

    The same weights at every call; the caller's random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would also reseed every GPU, which fork_rng(devices=[]) does not restore.
        torch.default_generator.manual_seed(card.weights.seed or 0)
        encoder = build_encoder(card)
    encoder.finish()
    return encoder


def filled(card: Card, path: Path, text: bool = True, text_path: Path | None = None) -> Filled:
    """Build a method and fill it from its checkpoint.

    Raises:
        CheckpointError: a file does not read, leaves a tensor without weights, or holds NaN or inf.
    """
    checkpoint = open_checkpoint(card, path)
    counts = {}
    with torch.device("meta"):
        encoder = build_encoder(card)
    if card.encoder is not None:
        counts["image encoder"] = len(fill(encoder, card.layout, checkpoint, "image encoder").filled)
    if text and card.text is not None:
        counts |= _add_text(card, encoder, checkpoint, text_path)
    if text and card.scorer is not None:
        with torch.device("meta"):
            scorer = build_scorer(card)
        counts["scorer"] = len(fill(scorer, card.scorer.layout, checkpoint, "scorer").filled)
        encoder.scorer = scorer
    return Filled(encoder, counts, checkpoint.unused(), dict(checkpoint.dtypes))


def _add_text(card: Card, encoder: Encoder, checkpoint: Checkpoint, given: Path | None) -> dict[str, int]:
    assert card.text is not None
    encoder.tokenizer = LocalTokenizer(card.text.tokenizer, default_root())
    try:
        if card.text.weights is not None:
            checkpoint = open_checkpoint(card, find_text_checkpoint(card, given, default_root()))
        with torch.device("meta"):
            tower = build_tower(card)
    except WeightsMissing as error:
        encoder.without_text = error
        return {}
    coverage = fill(tower, card.text.layout, checkpoint, "text tower")
    encoder.text = tower
    return {"text tower": len(coverage.filled)}


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)

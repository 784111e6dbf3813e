"""Load a method strictly: every tensor comes from its checkpoint, or loading fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from benchx.errors import UsageError, WeightsMissing
from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Card
from benchx.methods.encoders import build_encoder
from benchx.methods.encoders.base import Encoder
from benchx.methods.filling import Checkpoint, fill, open_checkpoint
from benchx.methods.fusion import build_fusion, fusion_without_weights
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
        UsageError: no such method, the method does not take this image size, or no text checkpoint.
        WeightsMissing: no checkpoint was found.
        CheckpointError: the checkpoint does not read, or does not fill the method.
    """
    card = method if isinstance(method, Card) else read_card(method)
    if text_checkpoint is not None and (not text or card.text is None or card.text.weights is None):
        raise UsageError(
            f"'{card.name}' takes no text_checkpoint", "its text side, if any, comes with its own file", "leave it out"
        )
    path = find_checkpoint(card, _path(checkpoint), default_root())
    encoder = random_encoder(card, text) if path is None else filled(card, path, text, _path(text_checkpoint)).encoder
    if card.input is not None:
        encoder.resize(card.input.size if image_size is None else image_size)
    return encoder.to(device).eval()


@dataclass(frozen=True)
class Filled:
    """A method with the weights of a file.

    Attributes:
        filled: number of tensors by part: "image encoder", "text tower", "scorer", "fusion".
        unused: number of the file's tensors that no part took, by the first two modules in their names.
        dtypes: number of tensors taken by their data type in the file.
        text_path: the text tower's own file, if it has one and was read; its tensors are counted with the others.
    """

    encoder: Encoder
    filled: Mapping[str, int]
    unused: Mapping[str, int]
    dtypes: Mapping[str, int]
    text_path: Path | None = None


def random_encoder(card: Card, text: bool = True) -> Encoder:
    """Build the encoder with the library's initialisation, drawn from the card's seed, and its text side after it.

    The same weights at every call; the caller's random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would also reseed every GPU, which fork_rng(devices=[]) does not restore.
        torch.default_generator.manual_seed(card.weights.seed or 0)
        encoder = build_encoder(card)
        if text and card.text is not None:
            encoder.tokenizer = LocalTokenizer(card.text.tokenizer, None)
            encoder.text = build_tower(card)
        if text and card.scorer is not None:
            encoder.scorer = build_scorer(card)
        if text and card.fusion is not None:
            encoder.fusion = build_fusion(card)
    encoder.finish()
    return encoder


def filled(card: Card, path: Path, text: bool = True, text_path: Path | None = None) -> Filled:
    """Build a method and fill it from its checkpoint.

    Raises:
        CheckpointError: a file does not read, leaves a tensor without weights, or holds NaN or inf.
    """
    checkpoint = open_checkpoint(card, path)
    text_file = checkpoint
    counts = {}
    with torch.device("meta"):
        encoder = build_encoder(card)
    if card.encoder is not None:
        counts["image encoder"] = len(fill(encoder, card.layout, checkpoint, "image encoder").filled)
    if text and card.text is not None:
        encoder.tokenizer = LocalTokenizer(card.text.tokenizer, default_root())
        try:
            text_file, counts["text tower"] = _add_tower(card, encoder, checkpoint, text_path)
        except WeightsMissing as error:
            encoder.without_text = error
    if text and card.scorer is not None:
        with torch.device("meta"):
            scorer = build_scorer(card)
        counts["scorer"] = len(fill(scorer, card.scorer.layout, checkpoint, "scorer").filled)
        encoder.scorer = scorer
    if text and card.fusion is not None:
        fusion = fusion_without_weights(card)
        counts["fusion"] = len(fill(fusion, card.fusion.layout, checkpoint, "fusion").filled)
        encoder.fusion = fusion
    files = [checkpoint] if text_file is checkpoint else [checkpoint, text_file]
    unused: Counter[str] = Counter()
    dtypes: Counter[str] = Counter()
    for file in files:
        unused.update(file.unused())
        dtypes.update(file.dtypes)
    return Filled(encoder, counts, dict(unused), dict(dtypes), files[1].path if files[1:] else None)


def _add_tower(card: Card, encoder: Encoder, checkpoint: Checkpoint, given: Path | None) -> tuple[Checkpoint, int]:
    """Fill the text tower, and return the file that it came from and the number of its tensors.

    Raises:
        WeightsMissing: its file, or its configuration, is not there.
    """
    assert card.text is not None
    if card.text.weights is not None:
        checkpoint = open_checkpoint(card, find_text_checkpoint(card, given, default_root()))
    with torch.device("meta"):
        tower = build_tower(card)
    coverage = fill(tower, card.text.layout, checkpoint, "text tower")
    encoder.text = tower
    return checkpoint, len(coverage.filled)


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)

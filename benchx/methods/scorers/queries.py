"""What MedKLIP, MeDSLIP and KAD share: texts query the places of an image, and each gets the answer "present".

The texts are whatever describes the classes, one each. A transformer decoder reads them against the places of the
image; a linear layer turns what it says of each text into absent or present, and its attention is the heat map.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from benchx.errors import UsageError
from benchx.methods.scorers.base import Scorer

if TYPE_CHECKING:
    from benchx.methods.encoders.base import Encoder, Features
    from benchx.methods.text.base import TextFeatures

TEXT_WIDTH = 768
LAYERS, HEADS, FEEDFORWARD = 4, 4, 1024
"""Of the decoder, the same in all three."""
PRESENT = 1
"""The place of "present" among the two answers, after "absent"."""


@dataclass(frozen=True)
class Answers:
    """What a decoder says of Q texts in B images.

    Attributes:
        states: [B, Q, D], its output after the last norm.
        logits: [B, Q, 2], of absent and present.
        attention: [B, Q, T], where each text looks, sum 1 over the T places.
    """

    states: torch.Tensor
    logits: torch.Tensor
    attention: torch.Tensor


class QueryScorer(Scorer):
    """The probability that what each text describes is present in each image, and where the text looks.

    All texts of a call are queries of one decoder and attend to each other: an answer depends on the whole set, not on
    its order, and not on the other images.
    """

    @abstractmethod
    def answers(self, encoder: Encoder, images: Features, text: TextFeatures) -> Answers:
        """Ask all texts of every image.

        Raises:
            UsageError: the texts are not embedded in 768 numbers, or the encoder projects no places.
        """

    def forward(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        """Return [B, B'], in [0, 1].

        Raises:
            UsageError: as `answers`.
        """
        return self.answers(encoder, images, text).logits.softmax(dim=-1)[..., PRESENT]

    def attention(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        """Return where each text looks, [B, B', h, w], sum 1 over the places.

        Raises:
            UsageError: as `answers`.
        """
        return on_grid(self.answers(encoder, images, text).attention)


def query_decoder(width: int, *, normed: bool = True) -> nn.TransformerDecoder:
    """Build a decoder that normalises before each block (pre-norm), without positions.

    Args:
        width: of queries and places.
        normed: whether it has a norm after the last layer.
    """
    layer = nn.TransformerDecoderLayer(width, HEADS, FEEDFORWARD, norm_first=True, batch_first=True)
    return nn.TransformerDecoder(layer, LAYERS, norm=nn.LayerNorm(width) if normed else None)


def decoded(
    decoder: nn.TransformerDecoder, queries: torch.Tensor, places: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run a decoder's layers, without the norm after the last.

    Layer by layer, because torch's decoder does not give its attention.

    Args:
        queries: [Q, D], the same for every image.
        places: [B, T, D].

    Returns:
        [B, Q, D], and each layer's attention over the places, the mean over heads, [layers, B, Q, T].
    """
    answers = queries.expand(len(places), -1, -1)
    maps = []
    for layer in decoder.layers:
        normed = layer.norm1(answers)
        answers = answers + layer.self_attn(normed, normed, normed, need_weights=False)[0]
        found, attention = layer.multihead_attn(layer.norm2(answers), places, places)
        answers = answers + found
        answers = answers + layer.linear2(layer.linear1(layer.norm3(answers)).relu())
        maps.append(attention)
    return answers, torch.stack(maps)


def on_grid(attention: torch.Tensor) -> torch.Tensor:
    """Lay out the places of square images, [B, Q, T] -> [B, Q, h, w], row by row."""
    side = math.isqrt(attention.shape[-1])
    return attention.unflatten(-1, (side, side))


def check_queries(text: TextFeatures, method: str, embedding: str) -> None:
    """Refuse texts that a decoder cannot take.

    Args:
        method: for the error.
        embedding: what it takes, for the error.

    Raises:
        UsageError: they are not embedded in 768 numbers.
    """
    if text.embedding.shape[-1] != TEXT_WIDTH:
        raise UsageError(
            f"{method} compares text embeddings of {TEXT_WIDTH} numbers",
            f"it was given {list(text.embedding.shape)}",
            f"use {embedding}",
        )

"""ConceptCLIP's text tower: PubMedBERT, the mean of its tokens for whole texts, and every token for concepts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import validate_call
from torch import nn

from benchx.methods.projections import Projection, build_projection
from benchx.methods.text.base import TextFeatures
from benchx.methods.text.bert import WIDTH, BertTower, token_mean
from benchx.methods.text.tokens import Tokens

EMBEDDING = 1152
CONCEPTS = Projection(layer="linear", widths=(EMBEDDING, EMBEDDING), bias="none", activation="gelu")
"""From patches or words to the space in which they are compared with each other."""


class ConceptCLIPText(BertTower):
    """Words: every token of the last layer in the space of concepts, [CLS], [SEP] and padding too.

    Padding is known by its id alone, whatever mask is given, as in the official code.
    """

    def __init__(self, *, vocabulary: int, layers: int) -> None:
        super().__init__(vocabulary=vocabulary, layers=layers)
        self.head = nn.Linear(WIDTH, EMBEDDING, bias=False)
        self.word_projection = build_projection(CONCEPTS, WIDTH)

    def _read(self, ids: torch.Tensor, mask: torch.Tensor, continued: torch.Tensor) -> TextFeatures:
        assert self.word_projection is not None
        mask = self.padding_mask(ids)
        hidden = self.hidden(ids, mask)
        pooled = token_mean(hidden, mask)
        return TextFeatures(pooled, self.head(pooled), self.word_projection(hidden[-1]), mask.bool())


def pieces(tokens: Tokens) -> list[list[int]]:
    """Return the word-pieces of texts, without [CLS], [SEP] and padding."""
    return [ids[mask.bool()][1:-1].tolist() for ids, mask in zip(tokens.ids, tokens.mask, strict=True)]


def first_places(text: Sequence[int], name: Sequence[int]) -> list[int]:
    """Return where the pieces of a name stand in a text, each at its first occurrence.

    As the official zero-shot code finds them with `list.index`: a piece that the text has before the name is found
    there, a piece that stands twice in the name counts twice, and one that the text lacks is left out.

    Args:
        text, name: of `pieces`.

    Returns:
        Positions among the text's tokens, of which [CLS] is the first.
    """
    return [1 + text.index(piece) for piece in name if piece in text]


@validate_call
def conceptclip_text(*, vocabulary: int, layers: int = 12) -> ConceptCLIPText:
    """Build ConceptCLIP's text tower.

    Args:
        vocabulary: number of token ids.
        layers: of the checkpoint.
    """
    return ConceptCLIPText(vocabulary=vocabulary, layers=layers)

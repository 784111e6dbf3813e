"""BERT (Devlin et al. 2019) as a text tower: one vector per text by the method's rule, and its projection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from pydantic import validate_call
from torch import nn

from benchx.methods.projections import Projection
from benchx.methods.text.base import TextFeatures, TextTower, check_tokens
from benchx.methods.text.heads import NamedHead, build_head

WIDTH, POSITIONS = 768, 512
HEADS = {384: 12, 768: 12, 1024: 16}
"""Attention heads by width: MiniLM, BERT-base, BERT-large."""

PADDING = 0
"""The id of [PAD], in every vocabulary that the methods use."""

Hidden = tuple[torch.Tensor, ...]
"""The embedded tokens and the output of every layer, [B, T, D] each."""


class BertTower(TextTower):
    """A BERT and what its subclasses read from it.

    Attributes:
        vocabulary: number of token ids.
    """

    def __init__(
        self, *, vocabulary: int, layers: int = 12, width: int = WIDTH, token_types: int = 2, pooler: bool = False
    ) -> None:
        super().__init__()
        from transformers import BertConfig, BertModel

        self.vocabulary = vocabulary
        config = BertConfig(
            vocab_size=vocabulary,
            num_hidden_layers=layers,
            hidden_size=width,
            num_attention_heads=HEADS[width],
            intermediate_size=4 * width,
            type_vocab_size=token_types,
        )
        # Named, so that it does not follow the library's version; "eager" gives the same within 3e-6.
        config._attn_implementation = "sdpa"
        self.trunk: Any = BertModel(config, add_pooling_layer=pooler)

    def finish(self) -> None:
        """Make the library's index buffers, which no checkpoint fills."""
        self.trunk.embeddings.position_ids = torch.arange(POSITIONS)[None]
        self.trunk.embeddings.token_type_ids = torch.zeros(1, POSITIONS, dtype=torch.int64)

    def padding_mask(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Return [B, T], 0 where the ids are [PAD]."""
        return (input_ids != PADDING).long()

    def hidden(self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor | None = None) -> Hidden:
        """Run the layers.

        Args:
            positions: of the tokens, int64 [B, T]; without it 0, 1, 2, ...

        Raises:
            UsageError: the tokens do not fit the tower.
        """
        check_tokens(ids, mask, self.vocabulary, POSITIONS)
        found = self.trunk(input_ids=ids, attention_mask=mask, position_ids=positions, output_hidden_states=True)
        return found.hidden_states


def class_token(hidden: Hidden, mask: torch.Tensor) -> torch.Tensor:
    """Return the last layer's [CLS], [B, D]."""
    return hidden[-1][:, 0]


def token_mean(hidden: Hidden, mask: torch.Tensor) -> torch.Tensor:
    """Return the last layer's mean over the tokens that are no padding, [B, D]."""
    weight = mask[..., None].to(hidden[-1].dtype)
    return (hidden[-1] * weight).sum(dim=1) / weight.sum(dim=1)


def medclip_mean(hidden: Hidden, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean of the first, second and last layer over all places, padding included, [B, D]."""
    return torch.stack([hidden[1], hidden[2], hidden[-1]]).mean(dim=(0, 2))


POOLINGS: dict[str, Callable[[Hidden, torch.Tensor], torch.Tensor]] = {
    "cls": class_token,
    "mean": token_mean,
    "medclip": medclip_mean,
}


class Bert(BertTower):
    """BERT with one vector per text.

    Attributes:
        pooling: a name of POOLINGS; or `pooler`, the library's: [CLS] through a linear layer and tanh.
        mask_by_id: whether padding is known by its id alone, whatever mask is given.
    """

    def __init__(
        self, *, vocabulary: int, layers: int, width: int, pooling: str, head: nn.Module, mask_by_id: bool
    ) -> None:
        super().__init__(vocabulary=vocabulary, layers=layers, width=width, pooler=pooling == "pooler")
        self.pooling, self.mask_by_id = pooling, mask_by_id
        self.head = head

    def _read(self, ids: torch.Tensor, mask: torch.Tensor, continued: torch.Tensor) -> TextFeatures:
        if self.mask_by_id:
            mask = self.padding_mask(ids)
        hidden = self.hidden(ids, mask)
        pooled = self.trunk.pooler(hidden[-1]) if self.pooling == "pooler" else POOLINGS[self.pooling](hidden, mask)
        return TextFeatures(pooled, self.head(pooled))


@validate_call
def bert(
    *,
    vocabulary: int,
    layers: int = 12,
    width: Literal[384, 768, 1024] = 768,
    pooling: Literal["cls", "pooler", "mean", "medclip"],
    head: Projection | NamedHead | None = None,
    mask_by_id: bool = False,
) -> Bert:
    """Build a BERT text tower.

    Args:
        vocabulary: number of token ids.
        layers: of the checkpoint.
        width: of its hidden states: 384 MiniLM, 768 base, 1024 large.
        pooling: `cls`, the last layer's first token; `pooler`, that token through BERT's pooler; `mean` over the
            tokens of the last layer; `medclip`, the mean of layers 1, 2 and last over all places, padding too.
        head: from the pooled features to the space shared with images; without it they are the embedding.
        mask_by_id: whether padding is known by its id alone, whatever mask is given (BiomedCLIP).
    """
    return Bert(
        vocabulary=vocabulary,
        layers=layers,
        width=width,
        pooling=pooling,
        head=build_head(head, width),
        mask_by_id=mask_by_id,
    )

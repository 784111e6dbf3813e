"""RoBERTa-base (Liu et al. 2019) as a text tower, and its parts for methods that are built around it."""

from __future__ import annotations

import torch
from torch import nn

from benchx.methods.text.base import TextFeatures, TextTower, check_tokens

WIDTH, HEADS, FEED_FORWARD, LAYERS = 768, 12, 3072, 12
VOCABULARY, POSITIONS = 50265, 514
START, PADDING, END = 0, 1, 2
"""The ids of <s>, <pad> and </s>."""
LONGEST = POSITIONS - PADDING - 1
"""Tokens per text: positions begin after the padding's id."""


class WordEmbeddings(nn.Module):
    """RoBERTa's: words, positions counted from the padding id on, and one token type."""

    def __init__(self) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(VOCABULARY, WIDTH, padding_idx=PADDING)
        self.position_embeddings = nn.Embedding(POSITIONS, WIDTH, padding_idx=PADDING)
        self.token_type_embeddings = nn.Embedding(1, WIDTH)
        self.LayerNorm = nn.LayerNorm(WIDTH)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Embed token ids, int64 [B, T] -> [B, T, 768]."""
        is_token = ids != PADDING
        positions = is_token.cumsum(dim=1) * is_token + PADDING
        summed = self.word_embeddings(ids) + self.position_embeddings(positions) + self.token_type_embeddings.weight
        return self.LayerNorm(summed)


def roberta_layers() -> nn.ModuleList:
    """Build RoBERTa's layers: each LayerNorm stands after what it norms, its eps is 1e-5, GELU is the exact one."""
    return nn.ModuleList(
        nn.TransformerEncoderLayer(WIDTH, HEADS, FEED_FORWARD, activation="gelu", batch_first=True)
        for _ in range(LAYERS)
    )


def read_words(layers: nn.ModuleList, words: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
    """Run embedded tokens through RoBERTa's layers, [B, T, 768] -> [B, T, 768].

    Args:
        padding: bool [B, T], the tokens that no other looks at.
    """
    for layer in layers:
        words = layer(words, src_key_padding_mask=padding)
    return words


class Roberta(TextTower):
    """Reads every token; pooled and embedding are the last layer's <s>, words all its tokens, <s> and </s> among them.

    RoBERTa's own pooler is not used.
    """

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = WordEmbeddings()
        self.layers = roberta_layers()

    def padding_mask(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Return [B, T], 0 where the ids are <pad>."""
        return (input_ids != PADDING).long()

    def _read(self, ids: torch.Tensor, mask: torch.Tensor, continued: torch.Tensor) -> TextFeatures:
        check_tokens(ids, mask, VOCABULARY, LONGEST)
        words = read_words(self.layers, self.embeddings(ids), mask == 0)
        return TextFeatures(words[:, 0], words[:, 0], words, mask != 0)


def roberta() -> Roberta:
    """Build RoBERTa-base."""
    return Roberta()

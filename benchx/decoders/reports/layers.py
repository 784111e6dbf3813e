"""Parts of a Transformer that R2Gen's and the plain decoder share (Vaswani et al., 2017; pre-norm)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class KeysValues(NamedTuple):
    """What is attended to, [N, heads, T, dim / heads] each."""

    keys: Tensor
    values: Tensor


class Attention(nn.Module):
    """Multi-head attention whose keys and values can be kept.

    Args:
        dim: D, divisible by `heads`.
        dropout: of the attention weights, in training.
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"{dim} channels cannot be shared among {heads} heads")
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value, self.output = (nn.Linear(dim, dim) for _ in range(4))

    def keys_values(self, states: Tensor) -> KeysValues:
        """Project what is attended to, [N, T, D]."""
        return KeysValues(self._heads(self.key(states)), self._heads(self.value(states)))

    def forward(self, states: Tensor, to: KeysValues, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """Attend from states [N, L, D].

        Args:
            mask: bool, True where attention is allowed, broadcast to [N, heads, L, T].
            causal: position i sees those up to i; then L = T.

        Returns:
            [N, L, D].
        """
        dropout = self.dropout if self.training else 0.0
        heads = self._heads(self.query(states))
        seen = scaled_dot_product_attention(heads, *to, attn_mask=mask, dropout_p=dropout, is_causal=causal)
        return self.output(seen.transpose(1, 2).flatten(2))

    def _heads(self, states: Tensor) -> Tensor:
        return states.unflatten(2, (self.heads, -1)).transpose(1, 2)


class FeedForward(nn.Sequential):
    """Two linear layers with a ReLU and dropout between."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__(nn.Linear(dim, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, dim))


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward on patches."""

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float, norm: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.norms = nn.ModuleList(norm() for _ in range(2))
        self.attention = Attention(dim, heads, dropout)
        self.feed_forward = FeedForward(dim, hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        """Map [B, T, D] to the same shape; `mask` as in `Attention`."""
        normed = self.norms[0](states)
        states = states + self.dropout(self.attention(normed, self.attention.keys_values(normed), mask))
        return states + self.dropout(self.feed_forward(self.norms[1](states)))


class DecoderLayer(nn.Module):
    """Self-attention on words, attention to patches, feed-forward.

    Args:
        norm: makes a module that is called with the states [B, L, D] and with what it depends on (`conditions`).
    """

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float, norm: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.norms = nn.ModuleList(norm() for _ in range(3))
        self.to_words = Attention(dim, heads, dropout)
        self.to_patches = Attention(dim, heads, dropout)
        self.feed_forward = FeedForward(dim, hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, patches: KeysValues, mask: Tensor | None, conditions: Tensor | None) -> Tensor:
        """Map all words of a report at once, [B, L, D], each seeing those before it."""
        normed = self.norms[0](states, conditions)
        seen = self.to_words(normed, self.to_words.keys_values(normed), causal=True)
        return self._rest(states + self.dropout(seen), patches, mask, conditions)

    def step(
        self, states: Tensor, past: KeysValues, patches: KeysValues, mask: Tensor | None, conditions: Tensor | None
    ) -> tuple[Tensor, KeysValues]:
        """Map one word of each of K beams of B cases, [B, K, D].

        Args:
            past: of the words before, N = B * K, case by case.

        Returns:
            [B, K, D], and `past` with this word.
        """
        normed = self.norms[0](states, conditions).flatten(0, 1).unsqueeze(1)
        new = self.to_words.keys_values(normed)
        past = KeysValues(torch.cat([past.keys, new.keys], 2), torch.cat([past.values, new.values], 2))
        seen = self.to_words(normed, past).view_as(states)
        return self._rest(states + self.dropout(seen), patches, mask, conditions), past

    def _rest(self, states: Tensor, patches: KeysValues, mask: Tensor | None, conditions: Tensor | None) -> Tensor:
        seen = self.to_patches(self.norms[1](states, conditions), patches, mask)
        states = states + self.dropout(seen)
        return states + self.dropout(self.feed_forward(self.norms[2](states, conditions)))


def sinusoids(length: int, dim: int) -> Tensor:
    """Return position codes [length, dim]: sines in even columns, cosines in odd ones."""
    rates = torch.exp(torch.arange(0, dim, 2) * (-math.log(10_000.0) / dim))
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :dim]

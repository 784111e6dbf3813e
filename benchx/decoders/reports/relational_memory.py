"""R2Gen's relational memory, and the layer norm that it drives (Chen et al., EMNLP 2020, sections 2.2 and 2.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchx.decoders.reports.layers import Attention

_NEAR_ZERO = 1e-6
_CONDITIONED_BIAS = 0.1


class RelationalMemory(nn.Module):
    """A few slots that attend to themselves and to each word, and are updated through gates.

    Args:
        dim: D, of words and slots.
        dropout: of the attention weights; 0.1 in R2Gen's code.
    """

    def __init__(self, slots: int, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.slots, self.dim = slots, dim
        self.attention = Attention(dim, heads, dropout)
        self.mlp = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU())
        self.word_gates = nn.Linear(dim, 2 * dim)
        self.memory_gates = nn.Linear(dim, 2 * dim)

    def initial(self, like: Tensor) -> Tensor:
        """Return the memory before the first word, [..., slots, D] for states [..., D]: the first unit vectors."""
        return torch.eye(self.slots, self.dim, dtype=like.dtype, device=like.device).repeat(*like.shape[:-1], 1, 1)

    def forward(self, words: Tensor, memory: Tensor) -> Tensor:
        """Return the memory after a word.

        Args:
            words: embedded, [..., D].
            memory: [..., slots, D].

        Returns:
            [..., slots, D].
        """
        before, word = memory.reshape(-1, self.slots, self.dim), words.reshape(-1, 1, self.dim)
        seen = before + self.attention(before, self.attention.keys_values(torch.cat([before, word], dim=1)))
        proposed = seen + self.mlp(seen)
        gates = self.word_gates(word) + self.memory_gates(before.tanh())
        into, keep = gates.sigmoid().chunk(2, dim=2)
        return (into * proposed.tanh() + keep * before).view_as(memory)

    def unroll(self, words: Tensor) -> Tensor:
        """Return the memory after each of the words [B, L, D], its slots side by side: [B, L, slots * D]."""
        memory = self.initial(words[:, 0])
        after = []
        for word in words.unbind(dim=1):
            memory = self(word, memory)
            after.append(memory.flatten(1))
        return torch.stack(after, dim=1)


class DeviationNorm(nn.Module):
    """Layer norm as R2Gen writes it: divided by (the deviation, with n - 1, + 1e-6)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gain, self.shift = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.zeros(dim))

    def forward(self, states: Tensor) -> Tensor:
        """Normalise over the last axis."""
        return self.gain * _normalised(states) + self.shift


class ConditionalNorm(nn.Module):
    """`DeviationNorm` with gain and shift moved by what the memory holds."""

    def __init__(self, dim: int, slots: int) -> None:
        super().__init__()
        self.gain, self.shift = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.zeros(dim))
        self.to_gain, self.to_shift = (
            nn.Sequential(nn.Linear(slots * dim, dim), nn.ReLU(), nn.Linear(dim, dim)) for _ in range(2)
        )
        for name, bias in self.named_parameters():
            if name.endswith("bias"):
                nn.init.constant_(bias, _CONDITIONED_BIAS)

    def forward(self, states: Tensor, memory: Tensor) -> Tensor:
        """Normalise states [B, L, D], each by its memory [B, L, slots * D]."""
        gain, shift = self.gain + self.to_gain(memory), self.shift + self.to_shift(memory)
        return gain * _normalised(states) + shift


def _normalised(states: Tensor) -> Tensor:
    return (states - states.mean(-1, keepdim=True)) / (states.std(-1, keepdim=True) + _NEAR_ZERO)

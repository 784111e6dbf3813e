"""A report decoder: patches of one or several views in, the next word's logits out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from benchx.decoders.reports.layers import DecoderLayer, EncoderLayer, KeysValues, sinusoids
from benchx.decoders.reports.relational_memory import RelationalMemory
from benchx.decoders.reports.vocabulary import LONGEST


@dataclass(frozen=True)
class Sizes:
    """Of a decoder."""

    dim: int = 512
    heads: int = 8
    layers: int = 3
    hidden: int = 512
    dropout: float = 0.1
    patch_dropout: float = 0.5
    slots: int = 3


R2GEN = Sizes()
"""Those of R2Gen (Chen et al., EMNLP 2020), which BenchX uses too."""


@dataclass(frozen=True)
class State:
    """What a decoder remembers of K beams of each of B cases while it speaks.

    Attributes:
        position: words fed so far, the begin among them.
        words: per layer the keys and values of these words, N = B * K, case by case.
        patches: per layer the keys and values of the patches, N = B: the beams of a case share them.
        mask: bool [B, 1, 1, T], or None.
        memory: relational memory [B, K, slots, D], or None.
    """

    position: int
    words: tuple[KeysValues, ...]
    patches: tuple[KeysValues, ...]
    mask: Tensor | None
    memory: Tensor | None

    def select(self, beams: Tensor) -> State:
        """Return the state in which beam [b, k] continues beam `beams[b, k]` of the same case, int64 [B, K']."""
        cases = len(beams)
        before = len(self.words[0].keys) // cases
        first = torch.arange(cases, device=beams.device)[:, None]
        rows = (first * before + beams).flatten()
        words = tuple(KeysValues(kept.keys[rows], kept.values[rows]) for kept in self.words)
        return replace(self, words=words, memory=None if self.memory is None else self.memory[first, beams])


class ReportDecoder(nn.Module):
    """A Transformer over patches and one over words.

    The weights are drawn from a seed, as R2Gen draws them: Xavier-uniform for the matrices and the embedding of the
    Transformer, PyTorch's own rule for the first and the last layer and for biases.

    Args:
        words: of the vocabulary, 0 not among them.
        patch_dim: channels of a patch.
        norm: makes a layer norm of the encoder, and the last one of the decoder.
        conditioned_norm: makes a layer norm of the decoder's layers, see `DecoderLayer`.
        memory: makes the relational memory on which these depend; None = they depend on nothing.
        longest: words that can be fed, the begin among them.
    """

    def __init__(
        self,
        words: int,
        patch_dim: int,
        sizes: Sizes,
        seed: int,
        norm: Callable[[], nn.Module],
        conditioned_norm: Callable[[], nn.Module],
        memory: Callable[[], RelationalMemory] | None = None,
        longest: int = LONGEST,
    ) -> None:
        super().__init__()
        size = (sizes.dim, sizes.heads, sizes.hidden, sizes.dropout)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.patch_embedding = nn.Sequential(
                nn.Linear(patch_dim, sizes.dim), nn.ReLU(), nn.Dropout(sizes.patch_dropout)
            )
            self.logits = nn.Linear(sizes.dim, words + 1)
            self.transformer = nn.ModuleDict(
                {
                    "encoder": nn.ModuleList(EncoderLayer(*size, norm) for _ in range(sizes.layers)),
                    "encoder_norm": norm(),
                    "words": nn.Embedding(words + 1, sizes.dim),
                    "decoder": nn.ModuleList(DecoderLayer(*size, conditioned_norm) for _ in range(sizes.layers)),
                    "decoder_norm": norm(),
                }
            )
            if memory is not None:
                self.transformer["memory"] = memory()
            for weight in self.transformer.parameters():
                if weight.dim() > 1:
                    nn.init.xavier_uniform_(weight)
        self.dim = sizes.dim
        self.dropout = nn.Dropout(sizes.dropout)
        self.register_buffer("positions", sinusoids(longest, sizes.dim), persistent=False)

    @property
    def memory(self) -> RelationalMemory | None:
        """The relational memory."""
        return cast(RelationalMemory | None, self.transformer._modules.get("memory"))

    def encode(self, patches: Tensor, mask: Tensor | None) -> Tensor:
        """Encode the patches of a case; several views are concatenated along T by the caller.

        Args:
            patches: float [B, T, patch_dim].
            mask: bool [B, T], False for patches that are not there; None = all are.

        Returns:
            [B, T, D]; meaningless where the mask is False.

        Raises:
            ValueError: a case has no patch.
        """
        if mask is not None and not mask.any(dim=1).all():
            raise ValueError("a case has no patch to look at: its mask is False everywhere")
        states = self.patch_embedding(patches)
        for layer in self.transformer["encoder"]:  # type: ignore[attr-defined]
            states = layer(states, _broadcast(mask))
        return self.transformer["encoder_norm"](states)

    def decode(self, encoded: Tensor, mask: Tensor | None, tokens: Tensor) -> Tensor:
        """Return logits [B, L, words + 1] of the word after each of `tokens`, int64 [B, L], which begin with 0.

        Raises:
            ValueError: there are more tokens than the decoder has positions for.
        """
        conditions = None if self.memory is None else self.memory.unroll(self._embed(tokens, 0))
        states = self._embed(tokens, 0)
        for layer in self.transformer["decoder"]:  # type: ignore[attr-defined]
            states = layer(states, layer.to_patches.keys_values(encoded), _broadcast(mask), conditions)
        return self.logits(self.transformer["decoder_norm"](states))

    def forward(self, patches: Tensor, mask: Tensor | None, tokens: Tensor) -> Tensor:
        """Encode and decode with the true words given."""
        return self.decode(self.encode(patches, mask), mask, tokens)

    def start(self, encoded: Tensor, mask: Tensor | None) -> State:
        """Return the state of one beam per case before the begin is fed."""
        layers = list(self.transformer["decoder"])  # type: ignore[call-overload]
        patches = tuple(layer.to_patches.keys_values(encoded) for layer in layers)
        nothing = tuple(KeysValues(keys[:, :, :0], values[:, :, :0]) for keys, values in patches)
        memory = None if self.memory is None else self.memory.initial(encoded[:, :1])
        return State(0, nothing, patches, _broadcast(mask), memory)

    def step(self, state: State, tokens: Tensor) -> tuple[Tensor, State]:
        """Feed one word to each beam.

        Args:
            state: of K beams of B cases.
            tokens: int64 [B, K].

        Returns:
            Log-probabilities of the next word, float32 [B, K, words + 1], and the state after it.
        """
        states = self._embed(tokens[..., None], state.position)[:, :, 0]
        memory = None if self.memory is None or state.memory is None else self.memory(states, state.memory)
        conditions = None if memory is None else memory.flatten(2)
        words = []
        for layer, past, patches in zip(
            self.transformer["decoder"],  # type: ignore[call-overload]
            state.words,
            state.patches,
            strict=True,
        ):
            states, past = layer.step(states, past, patches, state.mask, conditions)
            words.append(past)
        logits = self.logits(self.transformer["decoder_norm"](states))
        after = replace(state, position=state.position + 1, words=tuple(words), memory=memory)
        return logits.float().log_softmax(dim=-1), after

    def _embed(self, tokens: Tensor, position: int) -> Tensor:
        """Embed words [..., L] that stand at `position` and after."""
        codes = self.positions[position : position + tokens.shape[-1]]  # type: ignore[index]
        if len(codes) < tokens.shape[-1]:
            raise ValueError(f"the decoder has {len(self.positions)} positions, too few")  # type: ignore[arg-type]
        return self.dropout(self.transformer["words"](tokens) * math.sqrt(self.dim) + codes)


def _broadcast(mask: Tensor | None) -> Tensor | None:
    """Give a mask [B, T] the form that attention takes."""
    return None if mask is None else mask[:, None, None]

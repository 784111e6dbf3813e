"""Beam search over all cases of a batch at once, by the rule that R2Gen has from self-critical.pytorch.

A hypothesis counts by the sum of its log-probabilities, its end included, with no penalty or reward for its length.
One that ends is set aside, and its place goes to the next best unfinished one. What is unfinished at the longest length
counts as it stands. The best of all wins; of equals the one that was set aside first, within a step that of the better
place. Of equal continuations that of the better place comes first, within a place the one with the lower number.

R2Gen always goes on to the longest length; here a batch stops where no unfinished hypothesis can still win, which
changes nothing, as log-probabilities are never positive.

R2Gen's `block_trigrams` acts in its greedy sampling alone, where it halves a probability twice for each time that the
trigram was said; its beam search, which BenchX uses, ignores it. Here n-gram blocking is strict, off by default, and
the same for any number of beams.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor

from benchx.decoders.reports.decoder import ReportDecoder
from benchx.decoders.reports.vocabulary import BEGIN, END, LONGEST, PADDING
from benchx.errors import BenchxError


class Remembered(Protocol):
    """The state of a decoder over K beams of each of B cases."""

    def select(self, beams: Tensor) -> Self:
        """Let beam [b, k] continue beam `beams[b, k]` of the same case, int64 [B, K']."""


S = TypeVar("S", bound=Remembered)


class NotANumber(BenchxError):
    """A log-probability of a decoder is NaN."""


@dataclass(frozen=True)
class Generated:
    """The best hypothesis of each case.

    Attributes:
        tokens: int64 [B, longest], without the begin, padded with 0.
        scores: sum of log-probabilities, float32 [B].
    """

    tokens: Tensor
    scores: Tensor


@torch.no_grad()
def generate(
    decoder: ReportDecoder,
    patches: Tensor,
    mask: Tensor | None,
    *,
    beams: int = 3,
    longest: int = LONGEST,
    block_ngrams: int = 0,
) -> Generated:
    """Generate a report for each case; a case's words do not depend on what else is in the batch.

    Args:
        decoder: in evaluation mode.
        patches: float [B, T, patch_dim].
        mask: bool [B, T], or None.
        beams: hypotheses kept per case; 1 = greedy.
        longest: words of a report at most.
        block_ngrams: no n words in a row occur twice in a report; 0 = off.

    Raises:
        ValueError: the decoder is in training mode, or a case has no patch.
        NotANumber: a log-probability is NaN.
    """
    if decoder.training:
        raise ValueError("generation needs a decoder in evaluation mode")
    state = decoder.start(decoder.encode(patches, mask), mask)
    begin = torch.full((len(patches), 1), BEGIN, device=patches.device)
    return search(decoder.step, state, begin, beams=beams, longest=longest, block_ngrams=block_ngrams)


def search(
    step: Callable[[S, Tensor], tuple[Tensor, S]],
    state: S,
    begin: Tensor,
    *,
    beams: int,
    longest: int,
    block_ngrams: int = 0,
) -> Generated:
    """Search with anything that steps as a `ReportDecoder` does.

    Args:
        step: takes a state and tokens [B, K], returns log-probabilities [B, K, V] of the next ones and the state after.
        state: of one beam per case.
        begin: int64 [B, 1], what is fed first.

    Raises:
        NotANumber: a log-probability is NaN.
    """
    cases, device = len(begin), begin.device
    spoken = begin[:, :, None][:, :, :0]
    sums = torch.zeros((cases, 1), device=device)
    best = torch.full((cases, longest), PADDING, device=device)
    scores = torch.full((cases,), -torch.inf, device=device)
    tokens = begin
    for position in range(1, longest + 1):
        log_probs, state = step(state, tokens)
        if block_ngrams:
            log_probs = log_probs.masked_fill(_said_before(spoken, block_ngrams, log_probs.shape[2]), -torch.inf)
        parents, tokens, sums = _continue(sums, log_probs, beams)
        spoken = torch.cat([spoken.gather(1, parents[:, :, None].expand(-1, -1, position - 1)), tokens[:, :, None]], 2)
        ended = (tokens == END) if position < longest else torch.ones_like(tokens, dtype=torch.bool)
        score, place = sums.masked_fill(~ended, -torch.inf).max(dim=1)
        better = score > scores
        scores = torch.where(better, score, scores)
        chosen = spoken[torch.arange(cases, device=device), place]
        best[:, :position] = torch.where(better[:, None], chosen, best[:, :position])
        sums = sums.masked_fill(ended, -torch.inf)
        if bool((sums.amax(dim=1) <= scores).all()):
            break
        state = state.select(parents)
    return Generated(best, scores)


def _continue(sums: Tensor, log_probs: Tensor, beams: int) -> tuple[Tensor, Tensor, Tensor]:
    """Choose the best continuations.

    Args:
        sums: [B, K].
        log_probs: [B, K, V].

    Returns:
        Which beam each continues, its token and its sum, [B, K'] each, K' = min(beams, K * V), best first.
    """
    candidates = (sums[:, :, None] + log_probs.float()).flatten(1)
    if bool(candidates.isnan().any()):
        raise NotANumber(
            "a log-probability of a report decoder is NaN",
            "its weights or the image features are not finite",
            "lower the learning rate, or check the images' scale",
        )
    order = candidates.sort(dim=1, descending=True, stable=True)
    kept, values = order.indices[:, :beams], order.values[:, :beams]
    return kept // log_probs.shape[2], kept % log_probs.shape[2], values


def _said_before(spoken: Tensor, n: int, size: int) -> Tensor:
    """Return bool [B, K, V]: which words would repeat n words in a row of `spoken`, int64 [B, K, t]."""
    cases, beams, length = spoken.shape
    counts = torch.zeros((cases, beams, size), dtype=torch.int32, device=spoken.device)
    if length >= n:
        windows = spoken.unfold(2, n, 1)
        same = (windows[..., :-1] == spoken[:, :, None, length - n + 1 :]).all(dim=3)
        counts.scatter_add_(2, windows[..., -1], same.int())
    return counts > 0

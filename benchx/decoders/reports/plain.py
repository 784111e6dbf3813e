"""A plain pre-norm Transformer decoder of R2Gen's sizes: what the relational memory has to beat."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from benchx.decoders.reports.decoder import R2GEN, ReportDecoder, Sizes
from benchx.decoders.reports.vocabulary import LONGEST


class _Unconditioned(nn.LayerNorm):
    def forward(self, states: Tensor, conditions: None = None) -> Tensor:
        return super().forward(states)


def plain(words: int, patch_dim: int, seed: int, sizes: Sizes = R2GEN, longest: int = LONGEST) -> ReportDecoder:
    """Build a plain decoder; arguments as in `benchx.decoders.reports.r2gen.r2gen`."""
    norm = partial(_Unconditioned, sizes.dim)
    return ReportDecoder(words, patch_dim, sizes, seed, norm=norm, conditioned_norm=norm, longest=longest)

"""R2Gen (Chen et al., Generating Radiology Reports via Memory-driven Transformer, EMNLP 2020)."""

from __future__ import annotations

from functools import partial

from benchx.decoders.reports.decoder import R2GEN, ReportDecoder, Sizes
from benchx.decoders.reports.relational_memory import ConditionalNorm, DeviationNorm, RelationalMemory
from benchx.decoders.reports.vocabulary import LONGEST

_MEMORY_DROPOUT = 0.1


def r2gen(words: int, patch_dim: int, seed: int, sizes: Sizes = R2GEN, longest: int = LONGEST) -> ReportDecoder:
    """Build R2Gen's decoder: a relational memory drives the layer norms of the words' Transformer.

    Args:
        words: of the vocabulary; the decoder has one logit more.
        patch_dim: channels of a patch.
        seed: of the weights.
        longest: words that can be fed, the begin among them.
    """
    return ReportDecoder(
        words,
        patch_dim,
        sizes,
        seed,
        norm=partial(DeviationNorm, sizes.dim),
        conditioned_norm=partial(ConditionalNorm, sizes.dim, sizes.slots),
        memory=partial(RelationalMemory, sizes.slots, sizes.dim, sizes.heads, _MEMORY_DROPOUT),
        longest=longest,
    )

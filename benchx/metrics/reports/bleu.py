"""BLEU-1 to BLEU-4 (Papineni et al., ACL 2002) as pycocoevalcap computes them, from counts that can be summed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

ORDERS = (1, 2, 3, 4)
BLEU_COLUMNS = (
    *(f"bleu_match_{order}" for order in ORDERS),
    *(f"bleu_total_{order}" for order in ORDERS),
    "hypothesis_length",
    "reference_length",
)
_MATCH_FLOOR, _TOTAL_FLOOR = 1e-15, 1e-9
"""What pycocoevalcap adds to a count of matches and to a count of n-grams, so that 0 / 0 is 0."""


def bleu_counts(hypotheses: Sequence[str], references: Sequence[str]) -> pd.DataFrame:
    """Return what BLEU counts in every case: the columns `BLEU_COLUMNS`, integers.

    `bleu_match_n` are the n-grams of the hypothesis that are in the reference, each at most as often as it is there;
    `bleu_total_n` all n-grams of the hypothesis; lengths are in tokens.

    Args:
        hypotheses, references: tokens joined by blanks, one reference for each hypothesis.
    """
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    scorer = BleuScorer(n=len(ORDERS))
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        scorer += (hypothesis, [reference])
    rows = [(*case["correct"], *case["guess"], case["testlen"], *case["reflen"]) for case in scorer.ctest]
    return pd.DataFrame(rows, columns=list(BLEU_COLUMNS), dtype=np.int64)


def bleu_of_sums(sums: np.ndarray) -> np.ndarray:
    """Return the corpus scores of sums of counts, as `pycocoevalcap.bleu.Bleu(4)` with the option "closest".

    Args:
        sums: [..., 10], `BLEU_COLUMNS` summed over the cases of a corpus.

    Returns:
        [..., 4] BLEU-1 to BLEU-4, in [0, 1]. Not smoothed: without a single match of an order, pycocoevalcap's added
        1e-15 leaves a score near 0 instead of 0.

    Raises:
        ValueError: the last axis is not 10 long.
    """
    sums = np.asarray(sums, np.float64)
    if sums.shape[-1:] != (len(BLEU_COLUMNS),):
        raise ValueError(f"sums of counts have {len(BLEU_COLUMNS)} columns, these are {sums.shape}")
    matches, totals, hypothesis, reference = sums[..., :4], sums[..., 4:8], sums[..., 8], sums[..., 9]
    precisions = np.cumprod((matches + _MATCH_FLOOR) / (totals + _TOTAL_FLOOR), axis=-1)
    ratio = (hypothesis + _MATCH_FLOOR) / (reference + _TOTAL_FLOOR)
    brevity = np.exp(np.minimum(1 - 1 / ratio, 0))
    return precisions ** (1 / np.array(ORDERS)) * brevity[..., None]

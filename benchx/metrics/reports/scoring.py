"""BLEU, METEOR, ROUGE-L and CIDEr of reports, with the counts of every case that they are made of.

pycocoevalcap (Chen et al., arXiv:1504.00325) computes them, as in the work that reports are compared with. Nothing here
stands in for a metric that cannot be computed: it is None, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchx.errors import UsageError
from benchx.metrics.reports.bleu import BLEU_COLUMNS, ORDERS, bleu_counts, bleu_of_sums
from benchx.metrics.reports.java import NoJava, find_java
from benchx.metrics.reports.meteor import meteor_counts, meteor_of_sums
from benchx.metrics.reports.tokenizing import Tokenizer, tokenize


@dataclass(frozen=True)
class ReportScores:
    """Scores of a set of reports.

    Attributes:
        scores: `bleu_1` to `bleu_4`, `meteor` and `rouge_l` in [0, 1], `cider` in [0, 10]; None: unavailable.
        n: how many reports.
        tokenizer: what made their tokens; scores of different tokenizers are not comparable.
        cases: [n] rows in the order of the reports. `BLEU_COLUMNS`, which give the BLEU scores by `bleu_of_sums`;
            `rouge_l` and `cider`, whose means are the scores (CIDEr with the document frequencies of these
            references, also for a part of them); with Java `meteor` of the case alone, and `METEOR_COLUMNS`, which
            give the score by `meteor_of_sums`. No text.
        unavailable: reason by the name of each score that is None.
    """

    scores: dict[str, float | None]
    n: int
    tokenizer: Tokenizer
    cases: pd.DataFrame
    unavailable: dict[str, str]


METEOR_LARGEST = 1_000_000
"""Tokens of a hypothesis times those of its reference, such as 1000 x 1000: METEOR's alignment takes minutes and
gigabytes for a few times more."""


def score_reports(hypotheses: Sequence[str], references: Sequence[str]) -> ReportScores:
    """Score generated reports by n-grams against one reference each.

    An empty hypothesis scores 0 in every metric. One report alone has a CIDEr of 0: every n-gram is in every document.

    Args:
        hypotheses, references: raw texts of any length, in the same order.

    Raises:
        UsageError: the numbers differ, there is no report, or a reference has no token.
        JavaError: Java is there and fails.
    """
    if len(hypotheses) != len(references):
        raise UsageError(
            f"{len(hypotheses)} hypotheses and {len(references)} references",
            "every hypothesis is scored against the reference at its place",
            "give as many of one as of the other",
        )
    if not len(hypotheses):
        raise UsageError("no reports to score", "there is not one hypothesis", "give at least one")
    java = find_java()
    (theirs, tokenizer), (ours, _) = tokenize(references, java), tokenize(hypotheses, java)
    empty = [place for place, tokens in enumerate(theirs, 1) if not tokens]
    if empty:
        raise UsageError(
            f"reference {empty[0]} has no word" + (f", nor have {len(empty) - 1} more" if len(empty) > 1 else ""),
            "nothing can be scored against it",
            "leave the case out of both",
        )
    cases = bleu_counts(ours, theirs)
    cases["rouge_l"] = _rouge_l(ours, theirs)
    cases["cider"] = _cider(ours, theirs)
    bleu = bleu_of_sums(cases[list(BLEU_COLUMNS)].to_numpy().sum(axis=0))
    scores: dict[str, float | None] = {f"bleu_{order}": float(bleu[order - 1]) for order in ORDERS}
    scores["meteor"] = None
    unavailable = {}
    longest = max(len(one.split()) * len(other.split()) for one, other in zip(ours, theirs, strict=True))
    if isinstance(java, NoJava):
        unavailable["meteor"] = java.reason
    elif longest > METEOR_LARGEST:
        unavailable["meteor"] = f"a pair has {longest} pairs of tokens, and METEOR aligns up to {METEOR_LARGEST}"
    else:
        counts = meteor_counts(ours, theirs, java)
        cases = pd.concat([cases, counts], axis=1)
        cases["meteor"] = meteor_of_sums(counts.to_numpy())
        scores["meteor"] = float(meteor_of_sums(counts.to_numpy().sum(axis=0)))
    scores |= {name: float(np.mean(cases[name])) for name in ("rouge_l", "cider")}
    return ReportScores(scores, len(cases), tokenizer, cases, unavailable)


def _rouge_l(hypotheses: list[str], references: list[str]) -> list[float]:
    """Return ROUGE-L of every case: F of the longest common subsequence, recall weighted by beta = 1.2."""
    from pycocoevalcap.rouge.rouge import Rouge

    rouge = Rouge()
    return [rouge.calc_score([ours], [theirs]) for ours, theirs in zip(hypotheses, references, strict=True)]


def _cider(hypotheses: list[str], references: list[str]) -> np.ndarray:
    """Return CIDEr of every case, with clipping and the length penalty of CIDEr-D, as pycocoevalcap has it."""
    from pycocoevalcap.cider.cider import Cider

    _, scores = Cider().compute_score(
        {place: [tokens] for place, tokens in enumerate(references)},
        {place: [tokens] for place, tokens in enumerate(hypotheses)},
    )
    return scores

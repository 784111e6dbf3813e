"""Generated reports against references: the columns of a prediction table that scores follow from. No text is kept.

Against the raw report, texts become Penn Treebank tokens (`benchx.metrics.reports`). Against the cleaned report, as
R2Gen and BenchX do, the decoder's own words are the tokens, stops included.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from benchx.annotators.models import find_model, scorer_digest
from benchx.annotators.scoring import chexbert_cases, radgraph_f1_cases
from benchx.errors import WeightsMissing
from benchx.metrics.reports.bleu import BLEU_COLUMNS, bleu_counts, bleu_of_sums
from benchx.metrics.reports.java import NoJava, find_java
from benchx.metrics.reports.meteor import meteor_counts
from benchx.metrics.reports.scoring import score_reports
from benchx.metrics.reports.tokenizing import tokenize
from benchx.workspace import Workspace

CLEANED = "cleaned_"
_RADGRAPH = ("radgraph-xl", "radgraph")


def bleu_4(generated: Sequence[str], references: Sequence[str], *, tokenized: bool) -> float:
    """Return corpus BLEU-4 in [0, 1]; `tokenized` texts are tokens joined by blanks already."""
    if not tokenized:
        java = find_java()
        references, generated = tokenize(references, java)[0], tokenize(generated, java)[0]
    counts = bleu_counts(generated, references)[list(BLEU_COLUMNS)].to_numpy()
    return float(bleu_of_sums(counts.sum(axis=0))[3])


def chance(generated: Sequence[str], references: Sequence[str]) -> float | None:
    """Return the corpus BLEU-4 that the same reports have against other cases' references; None for one case alone.

    The mean over up to five rotations of the references, evenly spaced. What exceeds it comes from looking at images;
    what does not, from knowing what reports are like.
    """
    size = len(references)
    turns = sorted({round(size * sixth / 6) for sixth in range(1, 6)} - {0, size})
    if not turns:
        return None
    java = find_java()
    ours, theirs = tokenize(generated, java)[0], tokenize(references, java)[0]
    return float(np.mean([bleu_4(ours, theirs[turn:] + theirs[:turn], tokenized=True) for turn in turns]))


def against_raw(generated: Sequence[str], references: Sequence[str]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the columns of every case, and for the record the tokenizer and what is unavailable."""
    found = score_reports(generated, references)
    return _stored(found.cases), {"tokenizer": found.tokenizer, "unavailable": dict(found.unavailable)}


def against_cleaned(generated: Sequence[str], references: Sequence[str]) -> pd.DataFrame:
    """Return the columns of every case against the references as the decoder was taught them, names prefixed."""
    from pycocoevalcap.rouge.rouge import Rouge

    rouge, java = Rouge(), find_java()
    cases = bleu_counts(generated, references)
    cases["rouge_l"] = [rouge.calc_score([ours], [theirs]) for ours, theirs in zip(generated, references, strict=True)]
    if not isinstance(java, NoJava):
        cases = pd.concat([cases, meteor_counts(generated, references, java)], axis=1)
    return _stored(cases).add_prefix(CLEANED)


def against_models(
    generated: Sequence[str], references: Sequence[str], workspace: Workspace
) -> tuple[pd.DataFrame, dict[str, str], dict[str, str]]:
    """Return the columns of the scorers whose models are there (BENCHX_SCORERS).

    Returns:
        The columns of every case; by the scorer's name the digest of its model; and by the score's name why it is
        unavailable.
    """
    device = workspace.device if workspace.device.startswith("cuda") else "cpu"
    columns = [pd.DataFrame(index=range(len(generated)))]
    digests: dict[str, str] = {}
    unavailable: dict[str, str] = {}
    for score, names, cases in (
        ("radgraph_f1", _RADGRAPH, radgraph_f1_cases),
        ("chexbert", ("chexbert",), chexbert_cases),
    ):
        for name in names:
            try:
                model = find_model(name)
            except WeightsMissing as missing:
                unavailable.setdefault(score, missing.what)
                continue
            advance = workspace.progress.stage(f"{name}: annotations")
            columns.append(_stored(cases(generated, references, model, workspace.store.cache, device, advance)))
            digests[name] = scorer_digest(model)
            unavailable.pop(score, None)
            break
    return pd.concat(columns, axis=1), digests, unavailable


def require_radgraph() -> None:
    """Make sure that one of RadGraph's models is there, before anything is trained.

    Raises:
        WeightsMissing: none is.
    """
    for name in _RADGRAPH[:-1]:
        with suppress(WeightsMissing):
            find_model(name)
            return
    find_model(_RADGRAPH[-1])


def _stored(cases: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose fractions are float32, as predictions are kept."""
    return cases.astype({name: np.float32 for name, kind in cases.dtypes.items() if kind == np.float64})

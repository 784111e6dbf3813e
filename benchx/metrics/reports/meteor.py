"""METEOR 1.5 for English (Denkowski and Lavie, WMT 2014): the official program aligns, its counts are scored here.

The program of pycocoevalcap aligns a hypothesis with its reference by exact words, stems, synonyms and paraphrases, and
answers 23 counts. The score is a function of them, and the score of a corpus is the same function of their sums, with
one peculiarity: a hypothesis that is aligned whole and in order is not fragmented, so its one chunk does not count. The
chunks stored here are 0 then, and nothing but sums is needed. The corpus score is what pycocoevalcap reports as METEOR;
it is not the mean over the cases.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchx.metrics.reports.java import JavaError, run_java

_STAGES = ("exact", "stem", "synonym", "paraphrase")
_KINDS = ("hypothesis_content", "reference_content", "hypothesis_function", "reference_function")
METEOR_COLUMNS = (
    "meteor_stat_hypothesis_length",
    "meteor_stat_reference_length",
    "meteor_stat_hypothesis_function_words",
    "meteor_stat_reference_function_words",
    *(f"meteor_stat_{stage}_{kind}" for stage in _STAGES for kind in _KINDS),
    "meteor_stat_chunks",
    "meteor_stat_hypothesis_matches",
    "meteor_stat_reference_matches",
)
_CHUNKS = METEOR_COLUMNS.index("meteor_stat_chunks")

_ALPHA, _BETA, _GAMMA, _DELTA = 0.85, 0.20, 0.60, 0.75
_STAGE_WEIGHTS = np.array((1.0, 0.6, 0.8, 0.6))
"""METEOR 1.5's parameters for ranking English, which its program takes by default."""

_OPTIONS = ["-Xmx2G", "-jar", "meteor-1.5.jar", "-", "-", "-stdio", "-l", "en", "-norm"]


def meteor_counts(hypotheses: Sequence[str], references: Sequence[str], java: str) -> pd.DataFrame:
    """Return what METEOR counts in every case: the columns `METEOR_COLUMNS`, integers.

    One process aligns them all; starting it takes seconds, as it reads its table of paraphrases.

    Args:
        hypotheses, references: tokens joined by blanks, one reference for each hypothesis.
        java: path of java.

    Raises:
        JavaError: the program fails.
    """
    pairs = zip(hypotheses, references, strict=True)
    lines = [f"SCORE ||| {reference} ||| {hypothesis}" for hypothesis, reference in pairs]
    try:
        answers = run_java(java, "METEOR", "meteor", _OPTIONS, lines)
    except JavaError as error:
        longest = max(len(line.split()) for line in lines)
        advice = f"where memory was short: the longest pair has {longest} tokens; leave such a case out of both"
        raise JavaError(error.what, error.why, advice) from error
    counts = np.array([answer.split() for answer in answers], np.float64).reshape(-1, len(METEOR_COLUMNS))
    whole = (counts[:, _CHUNKS] == 1) & (counts[:, :2] == counts[:, -2:]).all(axis=1)
    counts[whole, _CHUNKS] = 0
    return pd.DataFrame(counts.astype(np.int64), columns=list(METEOR_COLUMNS))


def meteor_of_sums(sums: np.ndarray) -> np.ndarray:
    """Return the scores of counts, of one case or summed over the cases of a corpus.

    Args:
        sums: [..., 23], `METEOR_COLUMNS`.

    Returns:
        [...] METEOR in [0, 1]; 0 where nothing is aligned.

    Raises:
        ValueError: the last axis is not 23 long.
    """
    sums = np.asarray(sums, np.float64)
    if sums.shape[-1:] != (len(METEOR_COLUMNS),):
        raise ValueError(f"sums of counts have {len(METEOR_COLUMNS)} columns, these are {sums.shape}")
    lengths, function_words = sums[..., :2], sums[..., 2:4]
    matches = sums[..., 4:20].reshape(*sums.shape[:-1], len(_STAGES), 2, 2)  # stage, content or function, side
    chunks, matched = sums[..., _CHUNKS], sums[..., -2:].mean(axis=-1)
    words = _DELTA * (lengths - function_words) + (1 - _DELTA) * function_words
    aligned = np.einsum("s,...skj,k->...j", _STAGE_WEIGHTS, matches, np.array((_DELTA, 1 - _DELTA)))
    shares = _ratio(aligned, words)
    precision, recall = shares[..., 0], shares[..., 1]
    f_mean = _ratio(precision * recall, _ALPHA * precision + (1 - _ALPHA) * recall)
    return f_mean * (1 - _GAMMA * _ratio(chunks, matched) ** _BETA)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide; 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)

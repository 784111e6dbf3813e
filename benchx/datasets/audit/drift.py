"""Are the parts of a split drawn from the same population?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency, ks_2samp

from benchx.datasets.audit.audited import PARTS, Audited
from benchx.datasets.audit.findings import EXAMPLES, Finding
from benchx.datasets.splits import Fold

REMARKED = 0.01
"""Holm-corrected p value below which a difference is remarked."""


def drift(audited: Audited) -> list[Finding]:
    """Compare labels, sex, view and age between the parts of each fold.

    Labels, sex and view by the chi-square test of independence, age by the two-sample Kolmogorov-Smirnov test of
    train against each other part; p values are corrected by Holm over all tests of the dataset. Images count as
    independent, which those of one patient are not: p is then too small, and the remark only an invitation to look.
    """
    tests = [test for number, fold in enumerate(audited.folds) for test in _tests(audited, fold, number)]
    corrected = holm(np.array([test["p"] for test in tests]))
    remarked = [test | {"p_holm": float(p)} for test, p in zip(tests, corrected, strict=True) if p < REMARKED]
    if not remarked:
        return []
    names = tuple(dict.fromkeys(test["what"] for test in remarked))
    kind = "distributions that differ between parts"
    return [Finding(kind, "remark", (audited.name,), len(remarked), names[:EXAMPLES], {"tests": remarked})]


def holm(p: np.ndarray) -> np.ndarray:
    """Return p values (float [n]) corrected for their number (Holm, Scand. J. Statist. 1979)."""
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return stepped[np.argsort(order, kind="stable")]


def _tests(audited: Audited, fold: Fold, number: int) -> Iterator[dict[str, Any]]:
    samples = audited.samples
    labels = {f"label {name}": pd.Series(samples.labels[:, c]) for c, name in enumerate(samples.classes)}
    for what, values in {**labels, "sex": samples.table["sex"], "view": samples.table["view"]}.items():
        parts = {part: values.iloc[getattr(fold, part)].dropna() for part in PARTS}
        counts = pd.DataFrame({part: known.value_counts() for part, known in parts.items() if len(known)}).fillna(0)
        if min(counts.shape) > 1:
            shares = (counts / counts.sum()).round(4)
            p = chi2_contingency(counts.to_numpy()).pvalue
            yield {"what": what, "fold": number, "p": float(p), "shares": _json(shares)}
    ages = {part: samples.table["age"].iloc[getattr(fold, part)].dropna().astype(float) for part in PARTS}
    for part in PARTS[1:]:
        if len(ages["train"]) and len(ages[part]):
            p = ks_2samp(ages["train"], ages[part]).pvalue
            medians = {name: float(ages[name].median()) for name in ("train", part)}
            yield {"what": f"age, train against {part}", "fold": number, "p": float(p), "medians": medians}


def _json(shares: pd.DataFrame) -> dict[str, dict[str, float]]:
    return {str(part): {str(value): float(share) for value, share in column.items()} for part, column in shares.items()}

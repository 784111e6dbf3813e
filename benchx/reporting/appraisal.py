"""What a board needs of one method in one column: drawn from its predictions once, and kept in the store's cache."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from pydantic import TypeAdapter
from scipy.special import expit

from benchx.digests import digest_file, digest_json, digest_lines
from benchx.errors import StoreError
from benchx.metrics.calibration import Bin, calibration_scores, reliability
from benchx.metrics.classification import macro_auroc, scorable
from benchx.reporting.board import Gap, OperatingPoint, Part
from benchx.reporting.gathering import Found
from benchx.results.store import PREDICTIONS
from benchx.statistics.bootstrap import macro_auroc_replicates
from benchx.statistics.per_class import Scored, class_scores
from benchx.statistics.resampling import Draws
from benchx.statistics.subgroups import subgroup_scores
from benchx.tasks.operating_points import operating_points
from benchx.tasks.predictions import scores_and_labels
from benchx.tasks.subgroups import read_groups
from benchx.writing import write_whole

_PACKAGE = Path(__file__).resolve().parents[1]
_CODE = ("metrics", "statistics", "tasks", "reporting/appraisal.py", "reporting/board.py")
"""What an appraisal's numbers and form come from; its digest is part of the name in the cache."""

MakeDraws = Callable[[pd.DataFrame], Draws]
"""Makes or finds the bootstrap draws for the cases of a predictions table."""


@dataclass(frozen=True)
class Details:
    """A method in a column, beside its replicates; fields as in `benchx.reporting.board.Row`.

    Attributes:
        digest: sha256 of the test cases' ids, clusters and labels, by which cells on the same cases are known.
        cases, clusters: size of the test set.
        redrawn: replicates that lacked a value of a class at first.
        calibration: `brier` and `ece`, means over classes and draws.
    """

    digest: str
    cases: int
    clusters: int
    redrawn: int
    classes: tuple[Part, ...]
    subgroups: tuple[Part, ...]
    gaps: tuple[Gap, ...]
    calibration: dict[str, float]
    reliability: tuple[Bin, ...]
    operating_points: tuple[OperatingPoint, ...]


@dataclass(frozen=True)
class Appraisal:
    """A method's scores in a column.

    Attributes:
        scores: float64 [S], the primary metric of every draw.
        replicates: float64 [S, R], of every draw on the same bootstrap replicates.
    """

    scores: np.ndarray
    replicates: np.ndarray
    details: Details


def appraise(found: Sequence[Found], make_draws: MakeDraws, settings: dict[str, Any]) -> Appraisal:
    """Return the appraisal of a method's draws, from the cache where predictions, records and settings are the same.

    The cache lies in the store of the first draw; where that cannot be written, nothing is kept.

    Args:
        found: the draws of one method in one column, by seed.
        make_draws: called only when there is nothing in the cache.
        settings: what the draws depend on, JSON-able.

    Raises:
        StoreError: predictions are missing or truncated, hold other test cases than each other, or a score is NaN.
    """
    inputs = {
        "code": _code_digest(),
        "predictions": [digest_file(path) if path.is_file() else None for path in map(_predictions, found)],
        "details": [digest_json(one.record.details) for one in found],
        **settings,
    }
    cached = found[0].store.cache / "appraisals" / f"{digest_json(inputs)}.npz"
    with contextlib.suppress(OSError, EOFError, ValueError, KeyError, BadZipFile):  # damaged, so made again
        return _unpacked(cached.read_bytes())
    fresh = _appraise(found, make_draws)
    with contextlib.suppress(OSError):
        write_whole(cached, _packed(fresh))
    return fresh


def cases_digest(table: pd.DataFrame) -> str:
    """Return the sha256 of a predictions table's cases: ids, clusters and labels, in the table's order."""
    named = [name for name in table.columns if name in ("sample", "cluster") or name.startswith("label:")]
    return digest_lines([*named, *(str(value) for value in pd.util.hash_pandas_object(table[named], index=False))])


@cache
def _code_digest() -> str:
    files = [file for part in _CODE for file in sorted((_PACKAGE / part).rglob("*.py")) or [_PACKAGE / part]]
    return digest_json([digest_file(file) for file in files])


def _predictions(found: Found) -> Path:
    return found.store.cells / found.record.key / PREDICTIONS


def _appraise(found: Sequence[Found], make_draws: MakeDraws) -> Appraisal:
    tables = [one.store.predictions(one.record.key).sort_values("sample", ignore_index=True) for one in found]
    digests = [cases_digest(table) for table in tables]
    for one, digest in zip(found, digests, strict=True):
        if digest != digests[0]:
            raise other_cases(one)
    parsed = [scores_and_labels(table) for table in tables]
    for one, (scores, labels, _) in zip(found, parsed, strict=True):
        if np.isnan(scores[~np.isnan(labels)]).any():
            raise StoreError(
                f"the predictions of {one.record.key[:12]} hold scores that are NaN",
                "no method of benchx writes such a score, so the file was changed",
                f"remove {_predictions(one).parent} and run the suite again",
            )
    per_draw: list[Scored] = [(scores, labels) for scores, labels, _ in parsed]
    classes = parsed[0][2]
    draws = make_draws(tables[0])
    subgroups, gaps = _subgroups(tables[0], per_draw, draws)
    calibration = [calibration_scores(scores, labels, classes) for scores, labels in per_draw]
    details = Details(
        digest=digests[0],
        cases=len(tables[0]),
        clusters=draws.counts.shape[1],
        redrawn=draws.redrawn,
        classes=tuple(
            Part(one.name, one.positives, one.estimate, one.reason) for one in class_scores(per_draw, classes, draws)
        ),
        subgroups=subgroups,
        gaps=gaps,
        calibration={name: fmean(one[name] for one in calibration) for name in ("brier", "ece")},
        reliability=_reliability(per_draw),
        operating_points=_operating_points(
            [operating_points(table, one.record.details) for table, one in zip(tables, found, strict=True)]
        ),
    )
    scores = np.array([macro_auroc(*scored) for scored in per_draw], np.float64)
    return Appraisal(scores, np.stack([macro_auroc_replicates(*scored, draws) for scored in per_draw]), details)


def other_cases(found: Found) -> StoreError:
    """Return the error for a cell whose predictions hold other test cases than the rest of its column."""
    return StoreError(
        f"the predictions of {found.record.key[:12]} hold other test cases than the rest of their column",
        "data and split have the same digest, so the file was changed",
        f"remove {_predictions(found).parent} and run the suite again",
    )


def _subgroups(
    table: pd.DataFrame, per_draw: Sequence[Scored], draws: Draws
) -> tuple[tuple[Part, ...], tuple[Gap, ...]]:
    parts: list[Part] = []
    gaps = []
    for attribute, groups in read_groups(table).items():
        found = subgroup_scores(per_draw, groups, draws)
        parts += [Part(f"{attribute}: {one.name}", one.cases, one.estimate, one.reason) for one in found.subgroups]
        if (gap := found.gap) is not None:
            gaps.append(Gap(attribute, gap.best, gap.worst, gap.estimate, gap.p_value))
    return tuple(parts), tuple(gaps)


def _reliability(per_draw: Sequence[Scored]) -> tuple[Bin, ...]:
    """Return the reliability of all scorable classes and draws together."""
    scored = scorable(per_draw[0][1])
    probabilities = np.concatenate([expit(scores[:, scored].ravel()) for scores, _ in per_draw])
    return reliability(probabilities, np.concatenate([labels[:, scored].ravel() for _, labels in per_draw]))


def _operating_points(per_draw: Sequence[dict[str, dict[str, dict[str, Any]]]]) -> tuple[OperatingPoint, ...]:
    """Average sensitivity and specificity over the classes that have both, and over draws."""
    reached: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for classes in per_draw:
        for name, points in classes.items():
            for target, point in points.items():
                if point["sensitivity"] is not None and point["specificity"] is not None:
                    pair = (point["sensitivity"], point["specificity"])
                    reached.setdefault(target, {}).setdefault(name, []).append(pair)
    return tuple(
        OperatingPoint(
            float(target),
            fmean(fmean(sensitivity for sensitivity, _ in pairs) for pairs in by_class.values()),
            fmean(fmean(specificity for _, specificity in pairs) for pairs in by_class.values()),
            len(by_class),
        )
        for target, by_class in sorted(reached.items())
    )


def _packed(appraisal: Appraisal) -> bytes:
    buffer = io.BytesIO()
    details = np.frombuffer(TypeAdapter(Details).dump_json(appraisal.details), np.uint8)
    np.savez(buffer, scores=appraisal.scores, replicates=appraisal.replicates, details=details)
    return buffer.getvalue()


def _unpacked(content: bytes) -> Appraisal:
    arrays = np.load(io.BytesIO(content), allow_pickle=False)
    details = TypeAdapter(Details).validate_json(arrays["details"].tobytes())
    return Appraisal(arrays["scores"], arrays["replicates"], details)

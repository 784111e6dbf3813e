"""What a board needs of one method in one column: drawn from its predictions once, and kept in the store's cache."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
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
from benchx.metrics.classification import classification_scores, scorable
from benchx.reporting.building.few_shots import few_shot_scores
from benchx.reporting.building.gathering import Found
from benchx.reporting.building.measure_subgroups import measure_subgroups
from benchx.reporting.building.predictions import predictions_path, read_predictions
from benchx.reporting.building.secondary import secondary_scores
from benchx.reporting.rows import Gap, OperatingPoint, Part
from benchx.statistics.auroc_kernel import auroc_replicates
from benchx.statistics.bootstrap import sums_replicates
from benchx.statistics.case_error import holders, pool
from benchx.statistics.per_class import class_scores
from benchx.statistics.resampling import Draws
from benchx.statistics.subgroups import Scored, subgroup_scores
from benchx.statistics.variance import of_score
from benchx.tasks.measures import ratio
from benchx.tasks.operating_points import operating_points
from benchx.tasks.predictions import scores_and_labels
from benchx.tasks.scoring import MEASURES
from benchx.tasks.subgroups import read_groups
from benchx.writing import write_whole

_PACKAGE = Path(__file__).resolve().parents[2]
_CODE = (
    "digests.py",
    "metrics",
    "statistics",
    "tasks",
    "reporting/building",
    "reporting/rows.py",
)
"""What an appraisal's numbers and form come from; its digest is part of the name in the cache."""

MakeDraws = Callable[[pd.DataFrame], Draws]
"""Makes or finds the bootstrap draws for the cases of a predictions table."""


@dataclass(frozen=True)
class Details:
    """A method in a column, beside its replicates; fields as in `benchx.reporting.rows.Row`.

    Attributes:
        digest: of `cases_digest`, by which cells on the same cases are known.
        cases, clusters: size of the test set; of a mean over cases, those that have a value.
        redrawn: replicates that lacked a value of a class at first.
    """

    digest: str
    cases: int
    clusters: int
    redrawn: int
    excluded: dict[str, str]
    secondary: dict[str, float]
    classes: tuple[Part, ...] = ()
    subgroups: tuple[Part, ...] = ()
    gaps: tuple[Gap, ...] = ()
    reliability: tuple[Bin, ...] = ()
    operating_points: tuple[OperatingPoint, ...] = ()


@dataclass(frozen=True)
class Appraisal:
    """A method's scores in a column.

    Attributes:
        scores: float64 [S], the primary metric of every draw.
        replicates: float64 [S, R], of every draw on the same bootstrap replicates.
        by_class: float64 [R, C], of every scorable class, averaged over draws; a measure counts as one class.
        held: int [C], the fewest clusters that hold a value of the class, or a case that counts for the measure.
        pooled: int [], how many clusters hold the rarer value of any class, or as `held`.
    """

    scores: np.ndarray
    replicates: np.ndarray
    by_class: np.ndarray
    held: np.ndarray
    pooled: np.ndarray
    details: Details


def appraise(
    found: Sequence[Found], primary: str, make_draws: MakeDraws, settings: Mapping[str, Any], level: float = 0.95
) -> Appraisal:
    """Return the appraisal of a method's draws, from the cache where predictions, records and settings are the same.

    The cache lies in the store of the first draw; where that cannot be written, nothing is kept.

    Args:
        found: the draws of one method in one column, by seed.
        primary: the metric that the column is ranked by, whatever that of the suite that a result was first run for.
        make_draws: called only when there is nothing in the cache.
        settings: what the draws depend on, JSON-able.
        level: of the intervals of classes and subgroups.

    Raises:
        StoreError: predictions are missing or truncated, hold other test cases than each other, or are not as benchx
            writes them.
    """
    inputs = {
        "code": _code_digest(),
        "numpy": np.__version__,
        "level": level,
        "predictions": [digest_file(path) if path.is_file() else None for path in map(predictions_path, found)],
        "primary": primary,
        "details": [digest_json(one.record.details) for one in found],
        "scores": [digest_json(one.record.scores) for one in found],
        **settings,
    }
    cached = found[0].store.cache / "appraisals" / f"{digest_json(inputs)}.npz"
    with contextlib.suppress(OSError, EOFError, ValueError, KeyError, BadZipFile):  # damaged, so made again
        return _unpacked(cached.read_bytes())
    fresh = _appraise(found, primary, make_draws, level)
    with contextlib.suppress(OSError):
        write_whole(cached, _packed(fresh))
    return fresh


def cases_digest(task: str, table: pd.DataFrame) -> str:
    """Return the sha256 of a predictions table's cases, in the table's order: ids, clusters, and the truth it holds.

    That is the labels; of a segmentation also how many pixels each class has, of a report how many words, of a question
    whether it is closed.
    """
    known = table[[name for name in table.columns if name in ("sample", "cluster") or name.startswith("label:")]]
    if task == "segmentation":
        classes = [name.removeprefix("tp:") for name in table.columns if name.startswith("tp:")]
        known = known.assign(**{f"pixels:{name}": table[f"tp:{name}"] + table[f"fn:{name}"] for name in classes})
    if task == "report_generation":
        known = known.assign(words=table["reference_length"])
    if task == "vqa":
        known = known.assign(closed=table["closed"])
    return digest_lines([*known.columns, *(str(value) for value in pd.util.hash_pandas_object(known, index=False))])


_ARRAYS = ("scores", "replicates", "by_class", "held", "pooled")


@cache
def _code_digest() -> str:
    files = [file for part in _CODE for file in sorted((_PACKAGE / part).rglob("*.py")) or [_PACKAGE / part]]
    return digest_json([digest_file(file) for file in files])


def _appraise(found: Sequence[Found], primary: str, make_draws: MakeDraws, level: float) -> Appraisal:
    tables = [read_predictions(one) for one in found]
    task = found[0].record.cell["task"]
    digests = [cases_digest(task, table) for table in tables]
    for one, digest in zip(found, digests, strict=True):
        if digest != digests[0]:
            raise other_cases(one)
    draws = make_draws(tables[0])
    secondary = secondary_scores(task, primary, [one.record.scores or {} for one in found])
    if primary == "macro_auroc":
        return _appraise_auroc(found, tables, digests[0], draws, secondary, level)
    if task == "few_shot":
        return _appraise_few_shots(found, primary, tables, digests[0], draws, secondary, level)
    return _appraise_measure(found, primary, tables, digests[0], draws, secondary, level)


def _appraise_measure(
    found: Sequence[Found],
    primary: str,
    tables: Sequence[pd.DataFrame],
    digest: str,
    draws: Draws,
    secondary: dict[str, float],
    level: float,
) -> Appraisal:
    """Appraise a score that follows from sums over cases.

    The clusters behind it are those with a case that counts, in the draw with the fewest. Subgroups are left out for a
    classification: in a mean over classes a subgroup without a class would count as one that misses it.
    """
    task = found[0].record.cell["task"]
    measure = MEASURES[task][primary]
    terms = [measure.terms(table) for table in tables]
    replicates = np.stack([sums_replicates(one, measure.of_sums, draws) for one in terms])
    scores = np.array([measure.of(table) for table in tables])
    _refuse_unscored(found[0], primary, scores, replicates)
    behind = min(len(np.unique(draws.member[one.any(axis=1)])) for one in terms)
    groups = {} if task == "classification" else read_groups(tables[0])
    return Appraisal(
        scores=scores,
        replicates=replicates,
        by_class=replicates.mean(axis=0)[:, None],
        held=np.array([behind]),
        pooled=np.array(behind),
        details=Details(
            digest=digest,
            cases=int((terms[0][:, 1] > 0).sum()) if measure.of_sums is ratio else len(tables[0]),
            clusters=draws.counts.shape[1],
            redrawn=draws.redrawn,
            excluded={},
            secondary=secondary,
            subgroups=measure_subgroups(measure, terms, groups, draws, level),
        ),
    )


def _refuse_unscored(found: Found, primary: str, scores: np.ndarray, replicates: np.ndarray) -> None:
    """Raise a StoreError unless all scores [S] and replicates [S, R] are finite."""
    lacking = int((~np.isfinite(replicates)).any(axis=0).sum())
    if lacking or not np.isfinite(scores).all():
        raise StoreError(
            f"the predictions of {found.record.key[:12]} give no {primary} in {lacking} of {replicates.shape[1]} "
            "resampled test sets",
            "too few test cases count for it",
            "test on more patients, or rank by another metric",
        )


def _appraise_few_shots(
    found: Sequence[Found],
    primary: str,
    tables: Sequence[pd.DataFrame],
    digest: str,
    draws: Draws,
    secondary: dict[str, float],
    level: float,
) -> Appraisal:
    """Appraise an AUROC averaged over draws of few training cases. Subgroups are left out: the sums of one place its
    cases among those of all."""
    of = few_shot_scores(tables, primary, draws, level)
    scores, replicates = of.scores.mean(axis=1), of.replicates.mean(axis=2)
    _refuse_unscored(found[0], primary, scores, replicates)
    return Appraisal(
        scores=scores,
        replicates=replicates,
        by_class=of.replicates.mean(axis=0),
        held=holders(of.labels, draws.member),
        pooled=np.array(pool(of.labels, draws.member)),
        details=Details(
            digest=digest,
            cases=len(tables[0]),
            clusters=draws.counts.shape[1],
            redrawn=draws.redrawn,
            excluded=of.excluded,
            secondary=secondary,
            classes=of.classes,
        ),
    )


def _appraise_auroc(
    found: Sequence[Found],
    tables: Sequence[pd.DataFrame],
    digest: str,
    draws: Draws,
    secondary: dict[str, float],
    level: float,
) -> Appraisal:
    """Appraise a macro AUROC. Only a classifier's scores are log-odds, and are calibrated or not."""
    parsed = [scores_and_labels(table) for table in tables]
    per_draw: list[Scored] = [(scores, labels) for scores, labels, _ in parsed]
    classes = parsed[0][2]
    classifier = found[0].record.cell["task"] == "classification"
    subgroups, gaps = _subgroups(tables[0], per_draw, draws, classes, level)
    scored = scorable(per_draw[0][1])
    replicates = np.stack([auroc_replicates(*one, draws) for one in per_draw])
    whole = [classification_scores(*one, classes) for one in per_draw]
    if classifier:
        calibration = [calibration_scores(scores, labels, classes) for scores, labels in per_draw]
        secondary = secondary | {name: fmean(one[name] for one in calibration) for name in ("brier", "ece")}
    details = Details(
        digest=digest,
        cases=len(tables[0]),
        clusters=draws.counts.shape[1],
        redrawn=draws.redrawn,
        excluded=whole[0]["excluded_classes"],
        classes=tuple(
            Part(one.name, one.positives, one.estimate and of_score(one.estimate), one.reason)
            for one in class_scores(_by_class(whole, classes), replicates, per_draw[0][1], classes, draws, level)
        ),
        subgroups=subgroups,
        gaps=gaps,
        secondary=secondary,
        reliability=_reliability(per_draw[0], level) if classifier else (),
        operating_points=_operating_points(
            [operating_points(table, one.record.details) for table, one in zip(tables, found, strict=True)]
        )
        if classifier
        else (),
    )
    return Appraisal(
        scores=np.array([one["macro_auroc"] for one in whole], np.float64),
        replicates=replicates[:, :, scored].mean(axis=2),
        by_class=replicates[:, :, scored].mean(axis=0),
        held=holders(per_draw[0][1][:, scored], draws.member),
        pooled=np.array(pool(per_draw[0][1][:, scored], draws.member)),
        details=details,
    )


def other_cases(found: Found) -> StoreError:
    """Return the error for a cell whose predictions hold other test cases than the rest of its column."""
    return StoreError(
        f"the predictions of {found.record.key[:12]} hold other test cases than the rest of their column",
        "data and split have the same digest, so the file was changed",
        f"remove {predictions_path(found).parent} and run the suite again",
    )


def _by_class(whole: Sequence[dict[str, Any]], classes: Sequence[str]) -> np.ndarray:
    """Return the AUROCs [S, C] of all draws, NaN where there is none."""
    return np.array([[one["per_class"][name]["auroc"] for name in classes] for one in whole], np.float64)


def _subgroups(
    table: pd.DataFrame, per_draw: Sequence[Scored], draws: Draws, classes: Sequence[str], level: float
) -> tuple[tuple[Part, ...], tuple[Gap, ...]]:
    parts: list[Part] = []
    gaps = []
    for attribute, groups in read_groups(table).items():
        found = subgroup_scores(per_draw, groups, draws, level)
        parts += [
            Part(f"{attribute}: {one.name}", one.cases, one.estimate and of_score(one.estimate), one.reason)
            for one in found.subgroups
        ]
        if (gap := found.gap) is not None:
            on = tuple(classes[index] for index in found.classes)
            gaps.append(Gap(attribute, gap.best, gap.worst, gap.estimate, gap.p_value, on))
    return tuple(parts), tuple(gaps)


def _reliability(first: Scored, level: float) -> tuple[Bin, ...]:
    """Return the reliability of all scorable classes together, of the first draw: draws are not more cases."""
    scores, labels = first
    scored = scorable(labels)
    return reliability(expit(scores[:, scored].ravel()), labels[:, scored].ravel(), level=level)


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
    arrays = {name: getattr(appraisal, name) for name in _ARRAYS}
    np.savez(buffer, details=details, **arrays)
    return buffer.getvalue()


def _unpacked(content: bytes) -> Appraisal:
    arrays = np.load(io.BytesIO(content), allow_pickle=False)
    details = TypeAdapter(Details).validate_json(arrays["details"].tobytes())
    return Appraisal(**{name: arrays[name] for name in _ARRAYS}, details=details)

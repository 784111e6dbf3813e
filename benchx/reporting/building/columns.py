"""Build a column of a board: its methods' scores over the same replicates, and what each rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from benchx.digests import fraction_of_hash
from benchx.planning import Cell
from benchx.reporting.board import Column, Drawn, Pair, Published
from benchx.reporting.building.appraisal import Appraisal, Details, appraise, other_cases
from benchx.reporting.building.draws import DrawsByCases, draw_name
from benchx.reporting.building.families import Scores, letters
from benchx.reporting.building.gathering import Found, Gathered
from benchx.reporting.building.published import published_for
from benchx.reporting.exposure import seen_by
from benchx.reporting.rows import Draw, Rank, Row
from benchx.results.record import Record
from benchx.statistics.case_error import of_macro
from benchx.statistics.discriminability import Discriminability, discriminability
from benchx.statistics.ranking import bootstrap_ranks
from benchx.statistics.variance import mean_estimate, of_score, with_draws

Certify = Callable[[Mapping[str, Any]], str | None]
"""Returns the commit of the official code that a card's outputs were compared with, or None."""

WORKERS = 2
"""Threads; the kernels run beside each other."""


@dataclass(frozen=True)
class Assessed:
    """A gathered column with its methods' replicates.

    Attributes:
        details: of every method.
        scores: best first.
        ranked: [R, M] replicates of the methods' scores, test cases and draws both varied.
    """

    gathered: Gathered
    details: dict[str, Details]
    scores: tuple[Scores, ...]
    ranked: np.ndarray

    @property
    def shared(self) -> Details:
        """The details of one method, for what all cells of the column share."""
        return next(iter(self.details.values()))


def assess(gathered: Gathered, draws: DrawsByCases, replicates: int, level: float) -> Assessed:
    """Appraise a column's methods, two at a time, all on the same replicates.

    Raises:
        StoreError: predictions are unreadable, hold NaN scores, or cells of the column hold other test cases.
    """
    dataset, task, primary = gathered.cell.dataset, gathered.cell.task, gathered.cell.primary
    settings = {"replicates": replicates, "dataset": dataset}

    def one(found: Sequence[Found]) -> Appraisal:
        return appraise(found, primary, lambda table: draws.of(dataset, task, table), settings, level)

    first, *others = gathered.by_method.values()
    appraised = [one(first)]
    with ThreadPoolExecutor(WORKERS) as pool:
        appraised += pool.map(one, others)
    by_method = dict(zip(gathered.by_method, appraised, strict=True))
    for method, appraisal in by_method.items():
        if appraisal.details.digest != appraised[0].details.digest:
            raise other_cases(gathered.by_method[method][0])
    scores = [scores_of(gathered.by_method[method], by_method[method], level) for method in by_method]
    scores.sort(key=lambda one: -one.estimate.value)
    details = {method: appraisal.details for method, appraisal in by_method.items()}
    return Assessed(gathered, details, tuple(scores), _ranked(dataset, scores, replicates))


def drawn_by(cell: Cell) -> Drawn:
    """Return what differs between the draws of a cell."""
    if cell.seed is None:
        return "nothing"
    training = cell.settings["protocol"]["kind"] not in ("frozen", "paired", "knn")
    subset = cell.fraction < 1 and cell.split != "benchx-2024"
    if training:
        return "subset and training" if subset else "training"
    return "subset"


def build_column(assessed: Assessed, pairs: tuple[Pair, ...], level: float, certify: Certify) -> Column:
    """Put a column together from its replicates and its corrected differences."""
    gathered, cell = assessed.gathered, assessed.gathered.cell
    methods = [one.method for one in assessed.scores]
    shown = letters(methods, pairs)
    ranks = bootstrap_ranks(assessed.ranked, level)
    rows = tuple(
        _row(
            scores,
            assessed,
            shown[scores.method],
            Rank(
                int(ranks.low[place]),
                int(ranks.high[place]),
                tuple(float(p) for p in ranks.probabilities[place]),
                float(ranks.best[place]),
            ),
            certify,
        )
        for place, scores in enumerate(assessed.scores)
    )
    newest, shared = gathered.newest, assessed.shared
    return Column(
        dataset=cell.dataset,
        family=gathered.family,
        task=cell.task,
        protocol=cell.protocol,
        fraction=cell.fraction,
        split_kind=cell.split,
        primary=cell.primary,
        drawn=drawn_by(cell),
        unit=newest.unit or "image",
        cases=shared.cases,
        units=shared.clusters,
        excluded=shared.excluded,
        shared_units=newest.shared_units,
        redrawn=shared.redrawn,
        images=newest.images or "",
        split=newest.split or "",
        rows=rows,
        pairs=pairs,
        discriminability=_discriminability(assessed.scores, pairs),
        absent=gathered.absent,
        published=_published(cell) if newest.data == "real" else (),
    )


def _published(cell: Cell) -> tuple[Published, ...]:
    adaptation = cell.settings["protocol"]["kind"]
    return published_for(cell.dataset, cell.task, adaptation, cell.fraction, cell.primary)


def scores_of(found: Sequence[Found], appraisal: Appraisal, level: float) -> Scores:
    """Return a method's draws with their appraisal, ready for comparison; level is that of its interval."""
    clusters = appraisal.details.clusters
    pooled = int(appraisal.pooled)
    error = of_macro(appraisal.by_class, appraisal.held, pooled, clusters)
    return Scores(
        method=found[0].record.cell["method"],
        draws=tuple(draw_name(one.record.cell) for one in found),
        scores=appraisal.scores,
        replicates=appraisal.replicates,
        by_class=appraisal.by_class,
        held=appraisal.held,
        pooled=pooled,
        clusters=clusters,
        estimate=mean_estimate(appraisal.scores, appraisal.replicates, error, level),
    )


def _ranked(dataset: str, scores: Sequence[Scores], replicates: int) -> np.ndarray:
    """Return replicates [R, M] of the methods' scores in which the draws vary as well.

    To each replicate of the test cases comes a normal deviate per draw times the draw's deviation from the method's
    mean, scaled to the draws' variance. Methods on the same draws get the same deviates, so what they share cancels.
    A method with one draw where others have several is taken to vary between draws as they do on average. Deviations
    from the mean are stretched to the corrected variance (`benchx.statistics.case_error`) and by a common chi deviate
    for its degrees of freedom, so that ranks are no surer than the tests.
    """
    errors = [of_macro(one.by_class, one.held, one.pooled, one.clusters) for one in scores]
    rng = np.random.default_rng(int(fraction_of_hash("ranks", dataset) * 2**53))
    deviates = {
        name: rng.standard_normal(replicates) for name in sorted({name for one in scores for name in one.draws})
    }
    known = [one.estimate.draw_variance for one in scores if one.estimate.draw_variance is not None]
    df = min(error.df for error in errors)
    stretch = np.sqrt(df / rng.chisquare(df, replicates))
    columns = []
    for one, error in zip(scores, errors, strict=True):
        column, count = one.replicates.mean(axis=0), len(one.draws)
        column = column.mean() + (column - column.mean()) * np.sqrt(error.factor) * stretch
        column = column + np.sqrt(error.added) * rng.standard_normal(replicates)
        if one.estimate.draw_variance is None and known:
            column = column + np.sqrt(fmean(known)) * rng.standard_normal(replicates)
        deviation = one.scores - one.scores.mean()
        spread = float((deviation**2).sum()) / (count - 1) if count > 1 else 0.0
        if spread > 0 and one.estimate.draw_variance:
            scale = np.sqrt(one.estimate.draw_variance / spread / count / (count - 1))
            column = column + scale * sum(deviates[name] * d for name, d in zip(one.draws, deviation, strict=True))
        columns.append(column)
    return np.stack(columns, axis=1)


def _discriminability(scores: Sequence[Scores], pairs: Sequence[Pair]) -> Discriminability | None:
    if len(scores) < 2:
        return None
    place = {one.method: index for index, one in enumerate(scores)}
    variance = np.full((len(scores), len(scores)), np.nan)
    for pair in pairs:
        a, b = place[pair.a], place[pair.b]
        variance[a, b] = variance[b, a] = pair.difference.se**2
    df = 1 / fmean(1 / pair.difference.df for pair in pairs)
    return discriminability(np.array([one.estimate.value for one in scores]), variance, df)


def _row(scores: Scores, assessed: Assessed, shown: str, rank: Rank, certify: Certify) -> Row:
    gathered, details = assessed.gathered, assessed.details[scores.method]
    records = [one.record for one in gathered.by_method[scores.method]]
    card = records[0].card
    return Row(
        method=scores.method,
        score=of_score(scores.estimate),
        draws=tuple(_draw(record, float(score)) for record, score in zip(records, scores.scores, strict=True)),
        planned_draws=gathered.planned,
        next_draw=_half_width(scores),
        letters=shown,
        rank=rank,
        contaminated=seen_by(records[0], gathered.cell.dataset),
        certificate=certify(card),
        secondary=details.secondary,
        classes=details.classes,
        subgroups=details.subgroups,
        gaps=details.gaps,
        reliability=details.reliability,
        operating_points=details.operating_points,
        untrained=tuple(
            sorted({name for r in records for fold in r.details["folds"] for name in fold["untrained_classes"]})
        ),
        unreadable=records[0].provenance.unreadable,
        transductive=any(record.details.get("transductive") for record in records),
        **_searched(records),
    )


def _searched(records: Sequence[Record]) -> dict[str, int]:
    """Count the searches of a method's draws and folds, and those that found their best late."""
    curves = [fold["search"]["best_so_far"] for r in records for fold in r.details["folds"] if "search" in fold]
    return {
        "searches": len(curves),
        "trials": max(map(len, curves), default=0),
        "late_trials": sum(3 * curve.index(curve[-1]) >= 2 * len(curve) for curve in curves),
    }


def _half_width(scores: Scores) -> float | None:
    if scores.estimate.draw_variance is None:
        return None
    more = of_score(with_draws(scores.estimate, len(scores.draws) + 1))
    return (more.high - more.low) / 2


def _draw(record: Record, score: float) -> Draw:
    provenance = record.provenance
    return Draw(
        name=draw_name(record.cell),
        score=score,
        key=record.key,
        created=provenance.created,
        benchx=provenance.benchx,
        commit=provenance.commit,
        device=provenance.device,
        precision=provenance.precision,
        wall_seconds=provenance.wall_seconds,
        peak_memory_bytes=provenance.peak_memory_bytes,
    )

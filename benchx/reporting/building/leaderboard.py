"""Build the board of a suite from stored predictions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchx.errors import StoreError, UsageError, unknown_name
from benchx.reporting.board import Board, Correction, Family, Method, column_name
from benchx.reporting.building.columns import Assessed, Certify, assess, build_column
from benchx.reporting.building.draws import DrawsByCases
from benchx.reporting.building.families import corrected, differences
from benchx.reporting.building.gathering import Gathering, gather
from benchx.reporting.building.predictions import misrecorded
from benchx.reporting.building.standings import build_standings
from benchx.results.record import Record
from benchx.results.store import Store
from benchx.results.versions import newest
from benchx.suites import Suite


@dataclass(frozen=True)
class Rules:
    """By which rules a board compares.

    Attributes:
        level: of intervals; tests reject at 1 - level.
        replicates: bootstrap draws of the test cases.
        correction, family: of p values.
        margin: of equivalence, in the metric's unit; None = no such test.
        baseline: the method that differences are drawn against; None = the last of the first standing.
    """

    level: float = 0.95
    replicates: int = 2000
    correction: Correction = "holm"
    family: Family = "column"
    margin: float | None = None
    baseline: str | None = None

    def __post_init__(self) -> None:
        if self.margin is not None and not 0 < self.margin < 1:
            raise UsageError(f"a margin of {self.margin:g} cannot be", "it lies between 0 and 1", "give e.g. 0.01")


def build_board(
    suite: Suite, stores: Sequence[Store], rules: Rules, certify: Certify, advance: Callable[[int, int], None]
) -> Board:
    """Build a suite's board from one or more stores.

    Raises:
        StoreError: as `gather` and `assess`.
        UsageError: the baseline is not on the board.
    """
    gathering = gather(suite, stores)
    methods = _methods(gathering)
    names = [method.name for method in methods]
    if rules.baseline is not None and rules.baseline not in names:
        raise unknown_name("method on this board:", rules.baseline, names)
    if not gathering.columns:
        raise StoreError(
            f"no result of suite '{suite.name}' has a score to rank by",
            "; ".join(gathering.empty) or "there are no columns",
            "rank by another metric in the suite, or run what is missing",
        )
    draws = DrawsByCases(rules.replicates)
    assessed = []
    for number, gathered in enumerate(gathering.columns):
        advance(number, len(gathering.columns))
        assessed.append(assess(gathered, draws, rules.replicates, rules.level))
    advance(len(gathering.columns), len(gathering.columns))
    pairs = corrected(
        [differences(each.scores, rules.level) for each in assessed],
        correction=rules.correction,
        family=rules.family,
        level=rules.level,
        margin=rules.margin,
    )
    columns = tuple(build_column(each, some, rules.level, certify) for each, some in zip(assessed, pairs, strict=True))
    standings = build_standings(columns, assessed, rules.level)
    ranked = [place.method for standing in standings for place in standing.places]
    return Board(
        suite=suite.name,
        version=suite.version,
        description=suite.description,
        data=gathering.data,
        newest=max(gathered.newest.created for gathered in gathering.columns),
        level=rules.level,
        replicates=rules.replicates,
        correction=rules.correction,
        family=rules.family,
        margin=rules.margin,
        baseline=rules.baseline or (ranked or names)[-1],
        methods=methods,
        columns=columns,
        standings=standings,
        empty=gathering.empty,
        notes=(*gathering.notes, *_misrecorded(assessed), *_tokenized(assessed)),
    )


def _methods(gathering: Gathering) -> tuple[Method, ...]:
    """Return what the newest record of every method says of it."""
    records: dict[str, list[Record]] = defaultdict(list)
    for gathered in gathering.columns:
        for method, draws in gathered.by_method.items():
            records[method] += [found.record for found in draws]
    return tuple(_method(name, newest(records[name])) for name in sorted(records))


def _method(name: str, record: Record) -> Method:
    title, paper, licence = (str(record.card.get(field, "")) for field in ("title", "paper", "licence"))
    tags = record.card.get("tags") or {}
    signal, supervision = (tuple(map(str, tags.get(axis, ()))) for axis in ("signal", "supervision"))
    return Method(name, title or name, paper, licence, record.provenance.weights, signal, supervision)


def _tokenized(assessed: Sequence[Assessed]) -> tuple[str, ...]:
    """Note by which tokenizer reports were scored, where not all by Java's, and what could not be scored."""
    said = []
    for each in assessed:
        by_tokenizer: dict[str, list[str]] = defaultdict(list)
        lacking: dict[str, list[str]] = defaultdict(list)
        for method, draws in each.gathered.by_method.items():
            for found in draws:
                details = found.record.details
                if "tokenizer" in details:
                    by_tokenizer[details["tokenizer"]].append(method)
                for name in details.get("unavailable", {}):
                    lacking[name].append(method)
        name = column_name(*each.gathered.cell.column)
        if len(by_tokenizer) > 1:
            parts = "; ".join(f"{one}: {', '.join(dict.fromkeys(some))}" for one, some in sorted(by_tokenizer.items()))
            said.append(f"{name}: scored on tokens of different tokenizers, so n-gram scores do not compare ({parts})")
        elif "ptb-python" in by_tokenizer:
            said.append(f"{name}: scored on tokens of benchx's own tokenizer (ptb-python), since there was no Java")
        if lacking:
            parts = "; ".join(f"{one}: {', '.join(dict.fromkeys(some))}" for one, some in lacking.items())
            said.append(f"{name}: unavailable when run ({parts})")
    return tuple(said)


def _misrecorded(assessed: Sequence[Assessed]) -> tuple[str, ...]:
    """Note the results whose record has another score than their predictions give; the board shows the latter."""
    return tuple(
        said
        for each in assessed
        for one in each.scores
        for said in misrecorded(each.gathered.by_method[one.method], each.gathered.cell.primary, one.scores.tolist())
    )

"""What a leaderboard is: columns of rows, each score with its interval, nothing left unsaid."""

from __future__ import annotations

from dataclasses import dataclass

from benchx.statistics.bootstrap import Interval

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Row:
    """One method in one column.

    Attributes:
        score: mean over seeds, with its interval over patients (or images where no patient is known).
        seeds: score per seed, in the order of `seed_names`; one entry named `deterministic` where the
            protocol draws nothing.
        planned_seeds: how many seeds the suite asks for.
        behind: this score minus the leader's on the same cases, paired; None for the leader.
        untrained: classes that had no positive or no negative among the training cases of some seed.
        unreadable: images left out because they could not be read.
    """

    method: str
    score: Interval
    seeds: tuple[float, ...]
    seed_names: tuple[str, ...]
    planned_seeds: int
    behind: Interval | None
    untrained: tuple[str, ...]
    unreadable: int


@dataclass(frozen=True)
class Column:
    """One dataset, task, protocol and label fraction.

    Attributes:
        unit: what the intervals resample.
        cases, units: size of the test set.
        excluded: classes that could not be scored, with the reason.
        shared_units: units that the published split has in two of its parts.
        images, split: digests; every row of the column has both.
        rows: best first.
        absent: methods without a result here, with the reason.
    """

    dataset: str
    task: str
    protocol: str
    fraction: float
    split_kind: str
    primary: str
    unit: str
    cases: int
    units: int
    excluded: dict[str, str]
    shared_units: int
    images: str
    split: str
    rows: tuple[Row, ...]
    absent: dict[str, str]


@dataclass(frozen=True)
class Board:
    """The results of a suite.

    Attributes:
        data: `real` or `phantom`, never both.
        empty: columns of the suite without any result.
    """

    suite: str
    version: int
    data: str
    level: float
    replicates: int
    columns: tuple[Column, ...]
    empty: tuple[str, ...]


def column_name(dataset: str, task: str, protocol: str, fraction: float) -> str:
    """Name a column in words."""
    return f"{dataset} / {task} / {protocol} / {100 * fraction:g} %"

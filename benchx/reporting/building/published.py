"""Scores that somebody published, to stand beside a board, marked as not run here."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from benchx.errors import UsageError
from benchx.reporting.board import Origin, Published
from benchx.resources import resource_dir

COLUMNS = ("source", "origin", "dataset", "task", "adaptation", "fraction", "metric", "method", "value", "std", "note")
"""Columns of a file in `leaderboards/published`: `origin` is `paper` or `authors-code`; `adaptation` the kind of
protocol, as a suite file names it; `value` and `std` are in the metric's own unit, `std` over seeds and empty where
none is published; `method` is a card's name where there is one; `note` says what keeps a score from being compared."""

_ORIGINS: dict[str, Origin] = {"paper": "paper", "authors-code": "authors-code"}

Place = tuple[str, str, str, float, str]
"""Dataset, task, adaptation, label fraction and metric."""


def published_for(dataset: str, task: str, adaptation: str, fraction: float, metric: str) -> tuple[Published, ...]:
    """Return what is published for a dataset, task, kind of protocol, label fraction and metric, best first.

    Raises:
        UsageError: a file of published scores does not read.
    """
    found = [score for path in sorted(resource_dir("published").glob("*.csv")) for place, score in read_published(path)
             if place == (dataset, task, adaptation, fraction, metric)]  # fmt: skip
    return tuple(sorted(found, key=lambda score: -score.value))


@cache
def read_published(path: Path) -> tuple[tuple[Place, Published], ...]:
    """Read one file: a comment of lines that begin with '#', a line of `COLUMNS`, then one score a line.

    Raises:
        UsageError: it has other columns, another origin, or a value that is no number; the line is named.
    """
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    reader = csv.DictReader(lines)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise _unreadable(path, f"its columns must be {', '.join(COLUMNS)}")
    found = []
    for row in reader:
        try:
            if None in row or None in row.values():
                raise ValueError(f"it must have {len(COLUMNS)} values")
            place = (row["dataset"], row["task"], row["adaptation"], float(row["fraction"]), row["metric"])
            std = float(row["std"]) if row["std"] else None
            origin = _ORIGINS[row["origin"]]
            score = Published(row["method"], origin, float(row["value"]), std, row["source"], row["note"])
        except (KeyError, ValueError) as error:
            raise _unreadable(path, f"{dict(row)}: {error}") from error
        found.append((place, score))
    return tuple(found)


def _unreadable(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is not a file of published scores", why, "mend the file")

"""What a report of one method is made of: plain texts without markup, for both its forms; how it names columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchx.reporting.board import Board, Column
from benchx.reporting.wording import percent


@dataclass(frozen=True)
class Table:
    """A table of plain texts; every row is as long as `headers`."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """Lines under a heading, and a table after them where there is one."""

    heading: str
    lines: tuple[str, ...]
    table: Table | None = None


@dataclass(frozen=True)
class MethodReport:
    """A report in plain texts: whoever writes it out escapes every one of them.

    Attributes:
        lead: what is reported, in a line.
        warning: None for real images.
        facts: what was run, as label and value.
        scores: where the method stands, wide; `findings`: what follows from it, in short lines.
        methods_section: paragraphs for a paper.
        references: of what those paragraphs cite.
    """

    title: str
    lead: str
    warning: str | None
    facts: tuple[tuple[str, str], ...]
    scores: tuple[Section, ...]
    findings: tuple[Section, ...]
    methods_section: tuple[str, ...]
    references: tuple[str, ...]


@dataclass(frozen=True)
class Naming:
    """How columns are named: task and protocol only where the board has several."""

    task: bool
    protocol: bool

    @staticmethod
    def of(board: Board) -> Naming:
        """Return the shortest names that tell a board's columns apart."""
        columns = board.columns
        return Naming(len({column.task for column in columns}) > 1, len({column.protocol for column in columns}) > 1)

    def dataset(self, column: Column) -> str:
        """Name a column without its fraction: `nih`, `nih (finetune)`."""
        more = [column.task] * self.task + [column.protocol] * self.protocol
        return f"{column.dataset} ({', '.join(more)})" if more else column.dataset

    def column(self, column: Column) -> str:
        """Name a column: `nih 10 %`."""
        return f"{self.dataset(column)} {percent(column.fraction)}"

    def columns(self, columns: Iterable[Column]) -> str:
        """Name several columns: `nih 1 %, 10 %; rsna 100 %`."""
        fractions: dict[str, list[float]] = defaultdict(list)
        for column in columns:
            fractions[self.dataset(column)].append(column.fraction)
        return "; ".join(f"{name} {', '.join(map(percent, sorted(shares)))}" for name, shares in fractions.items())

    def said_of(self, columns: Iterable[Column], texts: Callable[[Column], Iterable[str]]) -> list[str]:
        """Return what is said of columns, each text once with the columns it holds for in front."""
        said: dict[str, list[Column]] = defaultdict(list)
        for column in columns:
            for text in texts(column):
                said[text].append(column)
        return [f"{self.columns(some)}: {text}" for text, some in said.items()]


def joined(texts: Sequence[str]) -> str:
    """Join texts as a sentence does: `a, b and c`."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)

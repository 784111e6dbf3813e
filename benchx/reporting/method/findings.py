"""What a board shows of one method: where it is strong, weak and undecided, and what it cannot show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchx.datasets.samples import UNITS
from benchx.reporting.board import Board, Column, Scenario, Standing
from benchx.reporting.grouping import at_largest_fraction, by_task_and_protocol, difference
from benchx.reporting.method.limits import untold
from benchx.reporting.method.parts import Naming, Section, joined
from benchx.reporting.wording import interval, number, p_value
from benchx.statistics.multiplicity import first_threshold
from benchx.statistics.power import cases_needed, draws_needed
from benchx.statistics.variance import Estimate
from benchx.words import plural

NAMED = 3
"""How many other methods a line names."""

NEEDS = (
    "What it would take is for a true difference as large as the observed one, which tends to be too large: 80 % power "
    "at the first threshold of the correction."
)


@dataclass(frozen=True)
class _Outcome:
    """A method against the others of a column, by the corrected tests."""

    won: tuple[str, ...]
    lost: tuple[str, ...]
    tied: tuple[str, ...]

    @property
    def others(self) -> int:
        return len(self.won) + len(self.lost) + len(self.tied)

    @property
    def kind(self) -> str:
        if 2 * len(self.won) > self.others:
            return "strong"
        if 2 * len(self.lost) > self.others:
            return "weak"
        return "between" if self.won or self.lost else "undecided"


def findings(board: Board, method: str) -> tuple[Section, ...]:
    """Return the findings on a method that has a result on the board, those without a line left out."""
    naming = Naming.of(board)
    outcomes = [(column, _outcome(column, method)) for column in board.columns if column.row(method) is not None]
    compared = [(column, outcome) for column, outcome in outcomes if outcome.others]

    def decided(kind: str) -> list[str]:
        texts = {column.name: _decided(outcome) for column, outcome in compared if outcome.kind == kind}
        some = [column for column, _ in compared if column.name in texts]
        return naming.said_of(some, lambda column: [texts[column.name]])

    undecided = [
        f"{naming.column(column)}: {_undecided(board, column, method)}"
        for column, outcome in compared
        if outcome.kind == "undecided" and not column.is_blind
    ]
    sections = {
        "Strong: beats more than half of the others": decided("strong"),
        "Weak: beaten by more than half of the others": decided("weak"),
        "Between: some are told apart from it, not most": decided("between"),
        "Undecided: not told apart from any other": [NEEDS, *undecided] if undecided else [],
        "What the data could not tell": list(untold(board, method, naming)),
        "If something else had been done": [line for one in board.standings for line in _robustness(one, method)],
        "Seen in pretraining (†)": _contamination(board, method, naming),
        "Subgroups, at each dataset's largest fraction": _subgroups(board, method, naming),
    }
    return tuple(Section(heading, tuple(lines)) for heading, lines in sections.items() if lines)


def failures(board: Board, method: str) -> Section:
    """Return why a method has no result on the board."""
    reasons = Naming.of(board).said_of(board.columns, lambda column: [column.absent.get(method, "not run")])
    return Section("No finished result", tuple(reasons))


def _outcome(column: Column, method: str) -> _Outcome:
    found = {row.method: ahead for row in column.rows if (ahead := difference(column, method, row.method)) is not None}
    return _Outcome(
        won=tuple(name for name, ahead in found.items() if ahead.different and ahead.value > 0),
        lost=tuple(name for name, ahead in found.items() if ahead.different and ahead.value <= 0),
        tied=tuple(name for name, ahead in found.items() if not ahead.different),
    )


def _named(methods: tuple[str, ...]) -> str:
    more = len(methods) - NAMED
    return joined([*methods[:NAMED], *([f"{more} more"] if more > 0 else [])])


def _decided(outcome: _Outcome) -> str:
    parts = [f"beats {len(outcome.won)} of {plural(outcome.others, 'other')}"] if outcome.won else []
    if outcome.lost:
        parts.append(f"beaten by {_named(outcome.lost)}")
    if outcome.tied:
        few = len(outcome.tied) < NAMED
        parts.append(f"not told apart from {_named(outcome.tied) if few else plural(len(outcome.tied), 'other')}")
    return "; ".join(parts)


def _undecided(board: Board, column: Column, method: str) -> str:
    """Say what is not told apart, and what it would take, for the difference to the leader or the runner-up."""
    others = any(pair.different for pair in column.pairs)
    told = "although others are told apart" if others else "nor are any two others"
    leader = column.rows[0].method
    rival = leader if leader != method else column.rows[1].method
    role = "leader" if rival == leader else "runner-up"
    seen = difference(column, method, rival)
    pair = next((one for one in column.pairs if {one.a, one.b} == {method, rival}), None)
    parts = [told] if len(column.rows) > 2 else []
    if column.discriminability is not None:
        parts.append(f"detectable {number(column.discriminability.detectable)}")
    if seen is not None and pair is not None:
        value = interval(seen.value, seen.low, seen.high, signed=True)
        parts.append(f"{value} {p_value(seen.p_adjusted)} to the {role} {rival}")
        tests = len(column.pairs) if board.family == "column" else sum(len(one.pairs) for one in board.columns)
        parts.append(_needed(column, pair.difference, first_threshold(tests, 1 - board.level)))
    return "; ".join(parts)


def _needed(column: Column, seen: Estimate, alpha: float) -> str:
    """Say how many units, or draws, would find a difference as large as the observed one despite the correction."""
    size = abs(seen.value)
    if size == 0:
        return "none was observed, so what one would take is not known"
    units = cases_needed(seen, size, alpha=alpha)
    draws = draws_needed(seen, size, alpha=alpha)
    ways = [] if units is None else [f"about {units} {UNITS[column.unit]} (now {column.units})"]
    ways += [] if draws is None else [f"{draws} draws (now {seen.draws}) with these {UNITS[column.unit]}"]
    if not ways:
        return f"neither more {UNITS[column.unit]} nor more draws alone would do"
    return f"would take {', or '.join(ways)}"


def place_among(ranks: dict[str, float], method: str) -> int:
    """Return a method's place by mean rank, which ties share."""
    return 1 + sum(rank < ranks[method] - 1e-9 for rank in ranks.values())


def _robustness(standing: Standing, method: str) -> Iterator[str]:
    """Say between which places other choices would have put the method, and which moves it most."""
    if len(standing.scenarios) < 2 or method not in standing.scenarios[0].ranks:
        return
    first, *others = (scenario for scenario in standing.scenarios if method in scenario.ranks)
    places = [place_among(one.ranks, method) for one in (first, *others)]
    told = (
        f"{standing.task}, {standing.protocol}: place {places[0]} of {len(first.ranks)} as run, "
        f"{min(places)} to {max(places)} over {len(places)} rankings"
    )

    def moved(scenario: Scenario) -> tuple[int, float]:
        further = abs(place_among(scenario.ranks, method) - places[0])
        return further, abs(scenario.ranks[method] - first.ranks[method])

    furthest = max(others, key=moved, default=first)
    if moved(furthest) > (0, 0.0):
        told += (
            f"; what moves it most is '{furthest.name}' (place {place_among(furthest.ranks, method)} of "
            f"{len(furthest.ranks)}, mean rank {number(furthest.ranks[method], digits=2)} instead of "
            f"{number(first.ranks[method], digits=2)})"
        )
    dropped = [scenario.name for scenario in standing.scenarios if method not in scenario.ranks]
    yield told + (f"; not ranked {joined(dropped)}" if dropped else "")


def _contamination(board: Board, method: str, naming: Naming) -> list[str]:
    def texts(column: Column) -> list[str]:
        row = column.row(method)
        return [f"pretraining saw {joined(row.contaminated)}"] if row is not None and row.contaminated else []

    return naming.said_of(board.columns, texts)


def largest_fractions(board: Board) -> list[Column]:
    """Return each dataset's column with most labels, for every task and protocol."""
    return [column for group in by_task_and_protocol(board).values() for column in at_largest_fraction(group)]


def _subgroups(board: Board, method: str, naming: Naming) -> list[str]:
    """Name the significant gaps, and where gaps were tested without one."""
    alpha = 1 - board.level

    def texts(column: Column) -> list[str]:
        row = column.row(method)
        if row is None or not row.gaps:
            return []
        found = [
            f"{gap.attribute} {gap.high} above {gap.low} on {len(gap.classes)} of {len(row.classes)} classes by "
            f"{interval(gap.difference.value, gap.difference.low, gap.difference.high)}, {p_value(gap.p_adjusted)}"
            for gap in row.gaps
            if gap.p_adjusted <= alpha
        ]
        tested = ", ".join(gap.attribute for gap in row.gaps)
        return found or [f"no significant gap ({tested}; Holm within each)"]

    lines = naming.said_of(largest_fractions(board), texts)
    return lines or ["none could be compared: no sex, age or view is recorded, or too few cases of each"]

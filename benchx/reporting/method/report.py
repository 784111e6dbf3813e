"""The report of one method, from the board it stands on: what was run, where it stands, what that does not say."""

from __future__ import annotations

from collections.abc import Iterator

from benchx.errors import unknown_name
from benchx.reporting.board import Board, Column, Method, Place, Standing
from benchx.reporting.grouping import difference, published_beside
from benchx.reporting.method.findings import failures, findings, largest_fractions, place_among
from benchx.reporting.method.methods_section import methods_section, references
from benchx.reporting.method.parts import MethodReport, Naming, Section, Table, joined
from benchx.reporting.rows import Row
from benchx.reporting.wording import (
    CORRECTIONS,
    DOTS,
    PHANTOM,
    against_published,
    digest_start,
    estimate_text,
    interval,
    number,
    p_value,
    percent,
    published_value,
    secondary_value,
)
from benchx.statistics.letters import split_letters
from benchx.words import plural

SEPARATES = {"separates": "yes", "weakly": "weakly", "cannot": "no"}
"""A discriminability verdict in a word."""


def method_report(board: Board, method: str) -> MethodReport:
    """Return the report of a method that has results on a board, or tried to.

    Raises:
        UsageError: the board does not know the method; the nearest name is suggested.
    """
    absent = {name for column in board.columns for name in column.absent}
    names = {one.name for one in board.methods} | absent
    if method not in names:
        raise unknown_name("method on this board:", method, names)
    about = next((one for one in board.methods if one.name == method), None)
    rows = [row for column in board.columns if (row := column.row(method)) is not None]
    paragraphs = methods_section(board, method) if rows else ()
    return MethodReport(
        title=f"{method}: report on suite {board.suite}, version {board.version}",
        lead=f"{about.title}. {board.description}" if about else board.description,
        warning=PHANTOM if board.data == "phantom" else None,
        facts=tuple(_facts(board, rows, about)),
        scores=tuple(_scores(board, method)) if rows else (),
        findings=findings(board, method) if rows else (failures(board, method),),
        methods_section=paragraphs,
        references=references(paragraphs),
    )


def _facts(board: Board, rows: list[Row], about: Method | None) -> Iterator[tuple[str, str]]:
    """Say what was run, by what, when, and at what cost."""
    shares = sorted({column.fraction for column in board.columns})
    yield "Datasets", ", ".join(dict.fromkeys(column.dataset for column in board.columns))
    yield "Label fractions", ", ".join(map(percent, shares))
    yield "Protocols", ", ".join(dict.fromkeys(f"{column.protocol} {column.task}" for column in board.columns))
    if about is not None:
        yield "Paper", about.paper
        yield "Licence", about.licence
        yield "Weights (sha256)", digest_start(about.weights) if about.weights else "none"
    if not rows:
        return
    draws = [draw for row in rows for draw in row.draws]
    certificates = sorted({digest_start(row.certificate) for row in rows if row.certificate})
    planned = sum(row.planned_draws for row in rows)
    yield "Certificate", (
        f"outputs compared with the official code, commit {', '.join(certificates)}" if certificates else
        "none: outputs were not compared with the official code"
    )  # fmt: skip
    yield "Done", f"{len(rows)} of {len(board.columns)} columns; {len(draws)} of the {planned} draws planned in them"
    days = sorted(draw.created[:10] for draw in draws)
    yield "Run", days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    yield (
        "benchx",
        ", ".join(
            dict.fromkeys(f"{draw.benchx}{f' ({digest_start(draw.commit)})' if draw.commit else ''}" for draw in draws)
        ),
    )
    yield (
        "Device",
        "; ".join(dict.fromkeys(f"{draw.device}{f', {draw.precision}' if draw.precision else ''}" for draw in draws)),
    )
    yield "Wall time, all draws", _duration(sum(row.wall_seconds for row in rows))
    yield "Peak memory", f"{max(draw.peak_memory_bytes for draw in draws) / 1e9:.1f} GB"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _scores(board: Board, method: str) -> Iterator[Section]:
    """Return the wide part: standings and every column, secondary scores, published figures."""
    naming, level = Naming.of(board), percent(board.level)
    places = [_standing(standing, method, level) for standing in board.standings]
    if board.baseline != method:
        places.append(
            f"Differences are to {board.baseline} on the same test cases; p values are corrected by "
            f"{CORRECTIONS[board.correction]}."
        )
    alone = "It is the only method with a result, so nothing was compared."
    yield Section("Where it stands", tuple(places) or (alone,), _columns(board, method, naming))
    yield from _secondary(board, method, naming)
    published = [one for one in published_beside(board) if one.row.method == method]
    if published:
        origins = [[one.paper, one.authors_code] for one in published]
        rows = tuple(
            (naming.column(one.column), *("" if by is None else published_value(by) for by in origin),
             estimate_text(one.row.score),
             "; ".join(filter(None, (against_published(one.column, by) for by in origin if by is not None))))
            for one, origin in zip(published, origins, strict=True)
        )  # fmt: skip
        sources = dict.fromkeys(by.cited for origin in origins for by in origin if by is not None)
        yield Section(
            "Published figures beside ours",
            (f"Published scores were not run here, nor tested. Sources: {'; '.join(sources)}.",),
            Table(("column", "paper", "authors' code", f"ours [{level}]", "ours - published"), rows),
        )


def _standing(standing: Standing, method: str, level: str) -> str:
    """Say in a line where a method stands across the columns of a task and protocol."""
    name = f"{standing.task}, {standing.protocol}"
    place = next((one for one in standing.places if one.method == method), None)
    if place is None:
        lacks = standing.left_out.get(method, ())
        return f"{name}: not ranked" + (f", it lacks {'; '.join(lacks)}." if lacks else ".")
    ranks = {one.method: one.mean_rank for one in standing.places}
    blocks = plural(len(standing.blocks), "block")
    return (
        f"{name}: place {place_among(ranks, method)} of {len(ranks)}; mean rank "
        f"{interval(place.mean_rank, place.low, place.high, digits=2)} ({level}) over {blocks}; "
        f"P(best) {place.best:.2f}; {_tied(standing, place)}; in the columns {plural(place.wins, 'win')}, "
        f"{plural(place.ties, 'tie')}, {plural(place.losses, 'loss', 'losses')}."
    )


def _tied(standing: Standing, place: Place) -> str:
    if standing.critical_difference is None:
        return "too few blocks for Nemenyi's test to tell methods apart"
    partners = [
        one.method
        for one in standing.places
        if one.method != place.method and set(split_letters(one.letters)) & set(split_letters(place.letters))
    ]  # fmt: skip
    told = f"not told apart from {joined(partners)}" if partners else "told apart from every other method"
    return f"letters {place.letters}, {told} (Nemenyi)"


def _columns(board: Board, method: str, naming: Naming) -> Table:
    """Return one line for every column that the method has a result in."""
    level = percent(board.level)
    against = board.baseline if board.baseline != method else None
    several = len({column.primary for column in board.columns}) > 1
    rows = []
    for column in board.columns:
        row = column.row(method)
        if row is not None:
            cells = [naming.column(column), *([column.primary] if several else [])]
            cells += [_score(row), _rank(column, row), row.letters]
            rows.append((*cells, *([_ahead(column, method, against)] if against else []), _separates(column)))
    headers = ["column", *(["metric"] if several else []), f"score [{level}]", f"rank [{level}]", "letters"]
    more = [f"difference [{level}]"] if against else []
    return Table((*headers, *more, "separates? detects"), tuple(rows))


def _score(row: Row) -> str:
    short = f" ({len(row.draws)}/{row.planned_draws} draws)" if len(row.draws) < row.planned_draws else ""
    return f"{estimate_text(row.score)}{' †' if row.contaminated else ''}{' ‡' if row.transductive else ''}{short}"


def _rank(column: Column, row: Row) -> str:
    better = sum(one.score.value > row.score.value for one in column.rows)
    return f"{better + 1} [{row.rank.low}, {row.rank.high}] of {len(column.rows)}"


def _ahead(column: Column, method: str, against: str) -> str:
    ahead = difference(column, method, against)
    if ahead is None:
        return "not compared"
    equivalent = ", equivalent" if ahead.equivalent else ""
    return f"{interval(ahead.value, ahead.low, ahead.high, signed=True)} {p_value(ahead.p_adjusted)}{equivalent}"


def _separates(column: Column) -> str:
    told = column.discriminability
    if told is None:
        return "one method only"
    return f"{DOTS[told.verdict]} {SEPARATES[told.verdict]}, {number(told.detectable)}"


def _secondary(board: Board, method: str, naming: Naming) -> Iterator[Section]:
    """Return the other scores of every task at each dataset's largest fraction, of classifiers operating points too."""
    found = [(column, row) for column in largest_fractions(board) if (row := column.row(method)) is not None]
    tasks = list(dict.fromkeys(column.task for column, _ in found))
    for task in tasks:
        what = "Calibration and operating points" if task == "classification" else "Other scores"
        of_task = f" of {task}" if len(tasks) > 1 else ""
        notes, table = _beside([one for one in found if one[0].task == task], naming)
        yield Section(
            f"{what}{of_task}, at each dataset's largest fraction", notes if task == "classification" else (), table
        )


def _beside(found: list[tuple[Column, Row]], naming: Naming) -> tuple[tuple[str, ...], Table]:
    """Return what the table of other scores needs said, and the table."""
    names = list(dict.fromkeys(name for _, row in found for name in row.secondary))
    targets = sorted({point.target for _, row in found for point in row.operating_points})
    rows = []
    for column, row in found:
        reached = {point.target: point for point in row.operating_points}
        points = [
            f"{reached[t].sensitivity:.2f} at {reached[t].specificity:.2f}" if t in reached else "" for t in targets
        ]
        scores = [secondary_value(row.secondary[name]) if name in row.secondary else "" for name in names]
        rows.append((naming.column(column), *scores, *points))
    headers = ("column", *(name.replace("_", " ") for name in names), *(f"sensitivity at {t:g}" for t in targets))
    note = (
        "Sensitivity at the specificity reached, with thresholds from held-out cases that aimed at the one named."
        if targets
        else "No operating points: no class had a threshold from held-out cases."
    )
    return (note,), Table(headers, tuple(rows))

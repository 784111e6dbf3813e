"""A comparison in words: one line, a table for a terminal, Markdown for a pull request, JSON, GitHub annotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import ceil, log10
from typing import Any

from benchx.errors import printable
from benchx.reporting.compare.comparison import Comparison, FailOn, Row, fails
from benchx.reporting.compare.notes import cost_texts
from benchx.reporting.markdown_text import escape
from benchx.reporting.wording import PHANTOM, interval, number, p_value, percent

SCHEMA_VERSION = 1
MARKDOWN_BYTES = 65_000
"""A comment on GitHub holds 65,536 characters."""

ANNOTATIONS = 10
"""GitHub shows as many errors, and as many warnings, of one step."""

_DIGITS = 3
"""Of differences; more where a bound would else look like 0."""

HEADERS = ("verdict", "cell", "base", "head", "head - base", "p (Holm)", "note")


def headline(comparison: Comparison, fail_on: FailOn) -> str:
    """Say in one line whether the comparison failed, and how many cells have which verdict."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in comparison.counts().items())
    broken = sum(row.broken for row in comparison.rows)
    said = f" ({broken} of the missing failed in HEAD)" if broken else ""
    return f"{'FAILED' if failed(comparison, fail_on) else 'passed'}: {counts}{said}"


def failed(comparison: Comparison, fail_on: FailOn) -> bool:
    """Whether any row fails the comparison."""
    return any(fails(row, fail_on) for row in comparison.rows)


def rules_line(comparison: Comparison) -> str:
    """Say by which rule the verdicts were given."""
    alpha = f"{1 - comparison.level:.2g}"
    within = f"within ±{comparison.margin:g}"
    negligible = f"not shown to lie {within}" if comparison.margin else "the margin is 0"
    same = f"it is shown to lie {within} (two one-sided tests) or " if comparison.margin else ""
    return (
        f"Differences: HEAD - BASE on the same test cases, with {percent(comparison.level)} intervals over test cases "
        f"(cluster bootstrap, {comparison.replicates} replicates) and draws, each cell's for itself: they are not "
        f"corrected for the number of cells, p is. Regressed or improved: p <= {alpha}, corrected by Holm over the "
        f"{comparison.tests} cells tested, and {negligible}. Same: {same}predictions are "
        "identical. Otherwise inconclusive."
    )


def labels(comparison: Comparison) -> dict[Row, str]:
    """Return every row's cell in words; suite and split are named where they are not the same in all rows."""
    suites = {row.name.suite for row in comparison.rows}
    splits = {row.name.split for row in comparison.rows}
    return {
        row: printable(
            (f"{row.name.suite}: " if len(suites) > 1 else "")
            + row.name.label
            + (f" / split {row.name.split}" if len(splits) > 1 else "")
        )
        for row in comparison.rows
    }


def difference_text(row: Row) -> str:
    """Write the difference with its interval, whose bounds never look like 0 unless they are."""
    if row.identical:
        return "0, identical"
    if (found := row.difference) is None:
        return ""
    nearest = min((abs(bound) for bound in (found.low, found.high) if bound), default=1.0)
    digits = max(_DIGITS, ceil(-log10(nearest)))
    return interval(found.value, found.low, found.high, digits=digits, signed=True)


def note_text(row: Row) -> str:
    """Write everything that is to be said of a row beside its numbers."""
    cost = cost_texts(row.cost) if row.cost is not None else []
    return printable("; ".join([*([row.reason] if row.reason else []), *row.notes, *cost]))


def sentence(row: Row) -> str:
    """Say what became of a cell, for a message that stands alone."""
    values = [f"{row.metric} {_number(row.base)} in BASE, {_number(row.head)} in HEAD"]
    if row.identical or row.difference is not None:
        values.append(f"difference {difference_text(row)}")
    if row.p_different is not None:
        values.append(f"{p_value(row.p_different)} (Holm)")
    return printable("; ".join([", ".join(values), *([note] if (note := note_text(row)) else [])]))


def terminal_rows(comparison: Comparison) -> list[dict[str, str]]:
    """Return the rows of a table; a workflow command of GitHub can stand in none of them."""
    named = labels(comparison)
    return [
        {name: cell.replace("::", ": :") for name, cell in zip(HEADERS, _cells(row, named[row]), strict=True)}
        for row in comparison.rows
    ]


def to_json(comparison: Comparison, fail_on: FailOn) -> dict[str, Any]:
    """Return a comparison as JSON-able values: all numbers, the counts of verdicts, and whether it failed."""
    rows = [asdict(row) | {"fails": fails(row, fail_on)} for row in comparison.rows]
    head = {"schema_version": SCHEMA_VERSION, "failed": failed(comparison, fail_on), "fail_on": fail_on}
    return head | {"counts": comparison.counts()} | asdict(comparison) | {"rows": rows}


def to_markdown(comparison: Comparison, fail_on: FailOn) -> str:
    """Return a comment for a pull request: the verdict, what changed, and folded what did not.

    Where there are too many rows for a comment, the last are left out and counted.
    """
    named = labels(comparison)
    changed = [row for row in comparison.rows if row.verdict != "same"]
    unchanged = [row for row in comparison.rows if row.verdict == "same"]
    head = [f"### benchx compare {_safe(headline(comparison, fail_on))}"]
    if any(row.data == "phantom" for row in comparison.rows):
        head.append(_safe(PHANTOM))
    tail = [f"BASE: {_safe(comparison.base)}, HEAD: {_safe(comparison.head)}. {_safe(rules_line(comparison))}"]
    left = MARKDOWN_BYTES - sum(len(part.encode()) for part in (*head, *tail)) - 1000
    shown, left = _table(changed, named, left)
    folded, _ = _table(unchanged, named, left)
    parts = [*head, *shown]
    if unchanged:
        parts += [f"<details><summary>{len(unchanged)} the same</summary>", *folded, "</details>"]
    return "\n\n".join([*parts, *tail]) + "\n"


def workflow_commands(comparison: Comparison, fail_on: FailOn) -> list[str]:
    """Return GitHub's workflow commands: an error for what fails, a warning for what is missing or inconclusive."""
    named = labels(comparison)
    errors = [row for row in comparison.rows if fails(row, fail_on)]
    warnings = [row for row in comparison.rows if row.verdict in ("missing", "inconclusive") and row not in errors]
    lines = []
    for level, rows in (("error", errors), ("warning", warnings)):
        shown = rows if len(rows) <= ANNOTATIONS else rows[: ANNOTATIONS - 1]
        lines += [_command(level, f"benchx: {row.verdict}", f"{named[row]}: {sentence(row)}") for row in shown]
        if len(shown) < len(rows):
            lines.append(_command(level, "benchx", f"and {len(rows) - len(shown)} more cells; see the table"))
    return lines


def _command(level: str, title: str, message: str) -> str:
    for text, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        title, message = title.replace(text, code), message.replace(text, code)
    title = title.replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={title}::{message}"


def _cells(row: Row, label: str) -> tuple[str, ...]:
    p = p_value(row.p_different) if row.p_different is not None else ""
    return row.verdict, label, _number(row.base), _number(row.head), difference_text(row), p, note_text(row)


def _number(value: float | None) -> str:
    return "none" if value is None else number(value)


def _safe(text: str) -> str:
    """Escape a text for a comment: beyond Markdown, no `@name` that notifies and no `#1` that links."""
    return escape(text).replace("&#64;", "@\u200b").replace("\\#", "#\u200b")


def _table(rows: list[Row], named: dict[Row, str], left: int) -> tuple[list[str], int]:
    """Return a table of at most `left` bytes with a line on what it leaves out, and the bytes that remain."""
    if not rows:
        return [], left
    lines = [_line(HEADERS), _line(["---"] * len(HEADERS))]
    for row in rows:
        line = _line([_safe(cell) for cell in _cells(row, named[row])])
        if (size := len(line.encode()) + 1) > left:
            break
        left -= size
        lines.append(line)
    left_out = len(rows) + 2 - len(lines)
    told = [f"{left_out} more cells are left out: a comment is too short for them."] if left_out else []
    return ["\n".join(lines), *told], left


def _line(cells: Sequence[str]) -> str:
    """Return a line of a table, not padded: a comment is short."""
    return f"| {' | '.join(cells)} |"

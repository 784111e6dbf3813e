"""The written forms of a head-to-head: Markdown, CSV and JSON; none names a patient or a case."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchx.errors import UsageError
from benchx.reporting.csv_text import csv_text
from benchx.reporting.head_to_head.contest import SCHEMA_VERSION, Cell, HeadToHead, Pair, Side
from benchx.reporting.head_to_head.words import cell_rows, prompts_text, rate_rows, rules, seen_text
from benchx.reporting.markdown_text import bullets, escape, table
from benchx.reporting.wording import PHANTOM
from benchx.writing import write_file

_FIELDS = (
    "suite", "version", "data", "adapted", "base", "dataset", "task", "protocol", "fraction", "metric",
    "adapted_score", "base_score", "difference", "low", "high", "level", "p", "p_holm", "verdict", "verdict_holm",
    "cases", "units", "unit", "shared_units", "adapted_draws", "base_draws", "adapted_prompts", "base_prompts",
    "adapted_saw", "base_saw",
)  # fmt: skip


def check_folder(folder: Path) -> None:
    """See that a folder can be written into before anything is computed.

    Raises:
        UsageError: it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", "a head-to-head is written as several files", "give --out DIR")


def write_head_to_head(found: HeadToHead, folder: Path) -> list[Path]:
    """Write head-to-head.md, .csv and .json into a folder, each whole or not at all, and return the files.

    Raises:
        UsageError: one cannot be written.
    """
    contents = {
        "md": to_markdown(found),
        "csv": to_csv(found),
        "json": json.dumps(to_json(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    }
    files = []
    for suffix, content in contents.items():
        files.append(folder / f"head-to-head.{suffix}")
        write_file(files[-1], content.encode())
    return files


def to_json(found: HeadToHead) -> dict[str, Any]:
    """Return a head-to-head as JSON-able values, `schema_version` first."""
    derived = {"false_rate": found.false_rate, "smallest_p": found.smallest_p}
    return {"schema_version": SCHEMA_VERSION, **asdict(found), **derived}


def to_csv(found: HeadToHead) -> str:
    """Return a head-to-head as CSV, a row per pair and cell; see `benchx.reporting.csv_text`."""
    about = {"suite": found.suite, "version": found.version, "data": found.data, "level": found.level}
    return csv_text(_FIELDS, (about | _line(pair, cell) for pair in found.pairs for cell in pair.cells))


def to_markdown(found: HeadToHead) -> str:
    """Return a head-to-head as Markdown in which no text of a card or a store is markup."""
    parts = [f"# Adapted methods against their bases: suite {escape(found.suite)}, version {found.version}"]
    if found.data == "phantom":
        parts.append(f"> **{PHANTOM}**")
    parts.append(_table(rate_rows(found)))
    for pair in found.pairs:
        seen = [f"{cell.name}: {said}" for cell in pair.cells if (said := seen_text(cell))]
        parts += [f"## {escape(pair.name)}", _table(cell_rows(pair))]
        if seen:
            parts += ["Seen in pretraining:", bullets(list(map(escape, seen)))]
        if pair.left_out:
            parts += ["Not compared:", bullets(list(map(escape, pair.left_out)))]
    if found.notes:
        parts += ["## Notes", bullets(list(map(escape, found.notes)))]
    parts += ["## Rules", bullets(list(map(escape, rules(found))))]
    return "\n\n".join(parts) + "\n"


def _table(rows: list[dict[str, str]]) -> str:
    return table([escape(name) for name in rows[0]], [[escape(one) for one in row.values()] for row in rows])


def _line(pair: Pair, cell: Cell) -> dict[str, Any]:
    return {
        "adapted": pair.adapted,
        "base": pair.base,
        "dataset": cell.dataset,
        "task": cell.task,
        "protocol": cell.protocol,
        "fraction": cell.fraction,
        "metric": cell.metric,
        "difference": cell.difference,
        "low": cell.low,
        "high": cell.high,
        "p": cell.p_value,
        "p_holm": cell.p_adjusted,
        "verdict": cell.verdict,
        "verdict_holm": cell.corrected,
        "cases": cell.cases,
        "units": cell.units,
        "unit": cell.unit,
        "shared_units": cell.shared_units,
        **_side("adapted", cell.adapted),
        **_side("base", cell.base),
    }


def _side(name: str, side: Side) -> dict[str, Any]:
    return {
        f"{name}_score": side.score,
        f"{name}_draws": list(side.draws),
        f"{name}_prompts": prompts_text(side.prompts),
        f"{name}_saw": list(side.saw),
    }

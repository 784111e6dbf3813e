"""Files of reports: text with one report a line, or JSON Lines or CSV with `id` and `report`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchx.errors import UsageError

_Reader = Callable[[Path, str], list[str] | dict[str, str]]
_FORMS = "a text file (.txt) has one report a line; .jsonl and .csv have id and report"


@dataclass(frozen=True)
class ReportPairs:
    """Reports and their references, in the order of the references.

    Attributes:
        hypotheses, references: raw texts, as many of one as of the other.
    """

    hypotheses: list[str]
    references: list[str]


def read_pairs(hypotheses: Path, references: Path) -> ReportPairs:
    """Read two files and pair their reports: line by line, or by their ids.

    Args:
        hypotheses, references: `.txt` (or no suffix), one report a line; or `.jsonl` or `.csv`. UTF-8.

    Raises:
        UsageError: a file does not read, one has ids and the other not, or their lines or ids differ. It names lines
            and ids, and never shows a text.
    """
    ours, theirs = _read(hypotheses), _read(references)
    if isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            raise UsageError(
                f"{hypotheses} has {len(ours)} lines and {references} has {len(theirs)}",
                "the reports of two text files are paired line by line; an empty line is an empty report",
                "give as many lines, or use .jsonl or .csv with ids",
            )
        return ReportPairs(ours, theirs)
    if isinstance(ours, list) or isinstance(theirs, list):
        raise UsageError(f"{hypotheses} and {references} do not pair", f"only one of them has ids: {_FORMS}", "use one")
    for here, there, path in ((ours, theirs, references), (theirs, ours, hypotheses)):
        if absent := [name for name in here if name not in there]:
            raise UsageError(
                f"{path} lacks {len(absent)} of {len(here)} ids", f"the first is '{absent[0]}'", "give the same ids"
            )
    return ReportPairs([ours[name] for name in theirs], list(theirs.values()))


def _read(path: Path) -> list[str] | dict[str, str]:
    """Return the reports of a file, by their ids where it has any."""
    readers: dict[str, _Reader] = {"": _lines, ".txt": _lines, ".jsonl": _json_lines, ".csv": _csv}
    if path.suffix.lower() not in readers:
        raise UsageError(f"{path} is of no form that is known", _FORMS, "convert it")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read", str(error.strerror), "give a file that exists") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8", f"it is not at byte {error.start}", "convert it") from None
    return readers[path.suffix.lower()](path, text)


def _lines(path: Path, text: str) -> list[str]:
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines if lines[-1] else lines[:-1]


def _json_lines(path: Path, text: str) -> dict[str, str]:
    reports: dict[str, str] = {}
    for place, line in enumerate(_lines(path, text), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise _wrong(path, place, "it is not JSON") from None
        if not isinstance(row, dict):
            raise _wrong(path, place, "it is not an object with id and report")
        _put(reports, row.get("id"), row.get("report"), path, place)
    return reports


def _csv(path: Path, text: str) -> dict[str, str]:
    reports: dict[str, str] = {}
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in rows:
            _put(reports, row.get("id"), row.get("report"), path, rows.line_num)
    except csv.Error as error:
        raise _wrong(path, rows.line_num, str(error)) from None
    return reports


def _put(reports: dict[str, str], name: object, report: object, path: Path, place: int) -> None:
    if isinstance(name, bool) or not isinstance(name, str | int) or not isinstance(report, str):
        raise _wrong(path, place, "it lacks an id, or its report is no text")
    if str(name) in reports:
        raise _wrong(path, place, f"the id '{name}' was there before")
    reports[str(name)] = report


def _wrong(path: Path, place: int, why: str) -> UsageError:
    return UsageError(f"{path} does not read at line {place}", why, f"mend it: {_FORMS}")

"""Errors made for people: what happened, why, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchxError(Exception):
    """One clear error in three lines. Control characters, in names from files for example, are escaped.

    Args:
        what: what went wrong, naming the file, row or name concerned.
        why: the cause, in one line.
        todo: the next thing to do, in one line.
    """

    exit_code = 1

    def __init__(self, what: str, why: str = "", todo: str = "") -> None:
        self.what, self.why, self.todo = (printable(part) for part in (what, why, todo))
        super().__init__(self.what, self.why, self.todo)

    def __str__(self) -> str:
        lines = [self.what, self.why and f"why: {self.why}", self.todo and f"do:  {self.todo}"]
        return "\n".join(line for line in lines if line)


class UsageError(BenchxError):
    """The command line or a suite or card file asks for something that does not exist or does not fit."""

    exit_code = 2


class DatasetError(BenchxError):
    """A dataset's files are missing, malformed or contradict each other."""


class DataMissing(DatasetError):
    """The folder of a dataset is not there: a state of a cell in a suite run, an error when named."""


class CheckpointError(BenchxError):
    """A checkpoint is unreadable, or does not fill the encoder."""


class WeightsMissing(CheckpointError):
    """No checkpoint file was found for a method: a state of a cell in a suite run, an error when named."""


class NotApplicable(BenchxError):
    """This cell cannot be scored on this data (for example no class has both values in train)."""


class StoreError(BenchxError):
    """A results store is unreadable, or a result could not be written."""


def unforeseen(error: Exception, kind: type[BenchxError] = BenchxError) -> BenchxError:
    """Put a fault of benchx's own into three lines."""
    text = " ".join(str(error).split())
    return kind(f"unforeseen {type(error).__name__}", text, "run again with --debug and report what it shows")


def printable(text: str) -> str:
    """Return a text on one line that does nothing to a terminal: control characters and line separators as escapes.

    Backslashes stay, so once is as good as twice.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Build the error for an unknown name, suggesting the nearest known one."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return UsageError(f"unknown {kind} '{name}'", f"the known ones are: {', '.join(names)}", f"{hint}see: benchx list")

"""What a verification found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from benchx.errors import printable
from benchx.words import agreeing

Severity = Literal["error", "warning", "note"]
CellState = Literal["re-scored", "attested", "not-applicable", "unsound"]

_LONGEST = 300
_SHORT = 60
_LARGEST = 10**15


@dataclass(frozen=True)
class Finding:
    """One thing that was found, or that could not be checked.

    Texts come from files of strangers: control characters are escaped, and long ones are cut.

    Attributes:
        severity: an error makes a bundle unsound; a warning is for a person to judge; a note says what was not
            checked.
        check: which check found it.
        where: the cell, dataset or file.
        what: in one line.
    """

    severity: Severity
    check: str
    where: str
    what: str

    def __post_init__(self) -> None:
        for name in ("where", "what"):
            object.__setattr__(self, name, _cut(printable(getattr(self, name))))


@dataclass(frozen=True)
class CellVerdict:
    """What is known of one cell.

    Attributes:
        score: the primary one, as the record has it.
        state: `re-scored` = every score follows from the predictions but those in `attested`, of which the primary is
            none; `attested` = no score could be computed here, since what is true is not in the bundle; `unsound` =
            an error was found.
        attested: the names of the scores that were taken as they are.
    """

    key: str
    label: str
    score: float | None
    state: CellState
    attested: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The outcome of a verification.

    Attributes:
        bundle: its id, null where the manifest cannot be read; likewise suite and method.
        cells: in the order of their keys.
        findings: errors first.
    """

    bundle: str | None
    suite: str | None
    method: str | None
    cells: tuple[CellVerdict, ...]
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether no error was found."""
        return not any(finding.severity == "error" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as a JSON value."""
        return {"sound": self.sound, **asdict(self)}


def counted(number: int, noun: str) -> str:
    """Return a number of a stranger's file and a noun that goes with it: `1 image`, `2 images`."""
    return f"{shown(number)} {agreeing(number, noun)}"


def shown(value: Any) -> str:
    """Return a value of a stranger's file in a sane length: six digits of a float, no number of thousands of digits."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int) and abs(value) >= _LARGEST:
        return f"a number beyond {_LARGEST:.0e}"
    return str(value)[:_SHORT]


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings without repetitions, errors first, then warnings, then notes."""
    weights = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: weights[finding.severity]))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."

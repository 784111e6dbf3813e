"""What an audit says: findings, each of one kind, with every id it concerns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["leak", "problem", "remark"]
"""`leak`: a test score may be too high. `problem`: the files contradict themselves. `remark`: worth a look."""

EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """One kind of trouble in one dataset, or between two.

    Attributes:
        kind: a plural noun; `count` says how many of them there are.
        datasets: the names of the one or two datasets.
        examples: up to five ids.
        detail: JSON-able, with the complete lists of ids.
    """

    kind: str
    severity: Severity
    datasets: tuple[str, ...]
    count: int
    examples: tuple[str, ...]
    detail: dict[str, Any]


@dataclass(frozen=True)
class AuditReport:
    """All findings, the gravest first."""

    findings: tuple[Finding, ...]

    @property
    def leaks(self) -> bool:
        """Whether anything tested on was seen in training."""
        return any(finding.severity == "leak" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able values."""
        return {"leaks": self.leaks, "findings": [asdict(finding) for finding in self.findings]}

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per finding for a table: severity, kind, datasets, count, examples."""
        names = ("severity", "kind", "datasets", "count", "examples")
        return [{name: getattr(finding, name) for name in names} for finding in self.findings]


def list_of(
    kind: str, severity: Severity, datasets: tuple[str, ...], ids: Sequence[str], **detail: Any
) -> list[Finding]:
    """Return the finding about some ids, or nothing where there are none."""
    if not ids:
        return []
    return [Finding(kind, severity, datasets, len(ids), tuple(ids[:EXAMPLES]), {"ids": list(ids), **detail})]

"""The findings and the impression of a free-text radiology report.

A section starts at a heading at the start of a line: its words in capitals or capitalised, then a colon. It ends at
the next heading that this module knows, so that sub-headings such as `LUNGS:` stay part of it. A heading of neither
findings nor impression is in capitals or alone on its line; `Comparison: none` in the findings is a part of them.
Text under a heading that names both, such as `FINDINGS AND IMPRESSION:`, counts as both; in capitals and alone on its
line it needs no colon. Text without a heading belongs to the section above it: a report whose findings stand under
`COMPARISON:` has none. Line breaks become spaces; de-identified words (`___`, `XXXX`) stay.

Where a line says `FINAL REPORT`, what stands before it (a wet read, or an addendum put first) is dropped. Other
sections of the same kind are joined in their order, also across an addendum that follows.

The list of headings is from general knowledge of MIMIC-CXR, whose reports need credentials; it was not checked
against them. BenchX has no parser of reports, so nothing here differs from it.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from benchx.datasets.samples import Report
from benchx.errors import DatasetError

_FINDINGS = r"FINDINGS?"
_IMPRESSION = r"(?:(?:FINAL )?IMPRESSIONS?|CONCLUSIONS?)"
_RECOMMENDATION = r"RECOMMENDATIONS?"
_OTHER = (
    r"(?:FINAL )?(?:REPORT|ADDENDUM)",
    r"(?:WET|PRELIMINARY) (?:READ|REPORT)",
    r"PROVISIONAL FINDINGS IMPRESSION",
    r"(?:TYPE OF )?EXAM(?:INATION)?",
    r"(?:CLINICAL )?(?:INDICATIONS?|HISTORY|INFORMATION)",
    r"REASON FOR (?:THIS )?(?:EXAM(?:INATION)?|STUDY)",
    r"TECHNIQUE",
    r"PROCEDURE",
    r"COMPARISONS?",
    _RECOMMENDATION,
    r"NOTIFICATIONS?",
)
_AND = r"(?:[ \t]*[&/,][ \t]*|[ \t]+(?:AND[ \t]+)?)"
_HEADING = re.compile(
    rf"^[ \t]*(?:(?P<both>{_FINDINGS}{_AND}{_IMPRESSION}|{_IMPRESSION}{_AND}{_FINDINGS})"
    rf"|(?P<findings>{_FINDINGS})|(?P<impression>{_IMPRESSION}(?:{_AND}{_RECOMMENDATION})?)|(?P<other>{'|'.join(_OTHER)}))"
    r"[ \t]*(?:\([^)\n]*\)[ \t]*)?(?P<colon>:)?(?P<alone>[ \t]*$)?",
    re.MULTILINE | re.IGNORECASE,
)
_KINDS = ("both", "findings", "impression", "other")
_BREAK = re.compile(r"^[ \t]*(?:FINAL REPORT|FINAL ADDENDUM|WET READ|_{10,})[ \t]*$", re.MULTILINE)
_FINAL = re.compile(r"^[ \t]*FINAL REPORT[ \t]*(?::[ \t]*)?$", re.MULTILINE)


def split_report(text: str) -> Report:
    """Return the findings and the impression of a report; None for one that is absent or holds no letter."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    final = _FINAL.search(text)
    text = text[final.end() :] if final else text
    headings = [(*match.span(), kind) for match in _HEADING.finditer(text) if (kind := _kind(match))]
    breaks = [(*match.span(), "other") for match in _BREAK.finditer(text)]
    found: dict[str, list[str]] = {"findings": [], "impression": []}
    for (_, start, kind), (stop, _, _) in pairwise([*sorted(headings + breaks), (len(text), 0, "")]):
        section = " ".join(text[start:stop].split())
        if any(letter.isalpha() for letter in section):
            for name in found:
                if kind in (name, "both"):
                    found[name].append(section)
    return Report(*(" ".join(parts) or None for parts in found.values()))


def _kind(match: re.Match[str]) -> str | None:
    """Return the name of the group that a heading belongs to; None where the line is no heading."""
    kind, words = next((name, match[name]) for name in _KINDS if match[name])
    alone, colon = match["alone"] is not None, match["colon"] is not None
    if kind == "both" and not colon:
        return kind if alone and words.isupper() else None
    return kind if colon and words[0].isupper() and (kind != "other" or alone or words.isupper()) else None


def read_report(path: Path) -> Report:
    """Read a report file (UTF-8) and split it.

    Raises:
        DatasetError: the file is not there, is empty, or is not text. The error does not show the text.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path} cannot be read", str(error.strerror), "unpack the reports again") from error
    except UnicodeDecodeError as error:
        what = f"{path} is not a text file"
        raise DatasetError(what, f"byte {error.start} is not UTF-8", "unpack the reports again") from None
    if not text.strip():
        raise DatasetError(f"{path} is empty", "a report file holds text", "unpack the reports again")
    return split_report(text)


def require_findings(report: Report, where: str) -> str:
    """Return the findings of a report, for a task that cannot do without.

    Args:
        where: names the report in the error: its file or sample.

    Raises:
        DatasetError: the report has no findings.
    """
    if report.findings is None:
        raise DatasetError(
            f"{where}: the report has no findings",
            "no FINDINGS section was found in it, or it is blank",
            "leave this study out, or use the impression",
        )
    return report.findings

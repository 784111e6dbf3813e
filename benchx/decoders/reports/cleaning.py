"""R2Gen's cleaning of reports before they become words (Chen et al., EMNLP 2020; its tokenizer), as rules in order.

Both datasets go through the same three steps: literal replacements in the order below (each pass is over the whole
text once, so that "..." needs two), lower case and a cut into sentences at ". ", then removal of characters
within each sentence. What follows from that and is reproduced here:

- Enumerations lose "1. " wherever it stands, so "11. " becomes "1"; only 1 to 5 are known.
- Removed are also `:` to `@` and `[`, because R2Gen's pattern reads `:-[` as a range; a hyphen is therefore kept.
- A sentence that becomes empty keeps its stop (R2Gen compares a text with a list), so there may be two in a row,
  and an empty report is a single stop.
"""

from __future__ import annotations

from typing import Literal

Rules = Literal["iu-xray", "mimic-cxr"]

_ENUMERATION = (
    ("1. ", ""),
    *((f". {number}. ", ". ") for number in (2, 3, 4, 5)),
    *((f" {number}. ", ". ") for number in (2, 3, 4, 5)),
)
_STOPS: tuple[tuple[str, str], ...] = (("..", "."),)
_REPLACED: dict[Rules, tuple[tuple[str, str], ...]] = {
    "iu-xray": (*_STOPS * 3, *_ENUMERATION),
    "mimic-cxr": (("\n", " "), *(("__", "_"),) * 7, *(("  ", " "),) * 6, *_STOPS * 8, *_ENUMERATION),
}
_REMOVED = str.maketrans("", "", "\"/\\'.,?;*!%^&_+():<=>@[]{}")


def clean(report: str, rules: Rules) -> str:
    """Return a report as lower-case words and stops, separated by single spaces, with a stop at the end."""
    for old, new in _REPLACED[rules]:
        report = report.replace(old, new)
    sentences = [sentence.translate(_REMOVED) for sentence in report.strip().lower().split(". ")]
    return " ".join(f"{' . '.join(sentences)} .".split())

"""Text and tables that Markdown shows as they are."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tabulate import tabulate

from benchx.errors import printable

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
_INLINE = re.compile(r"([\\`*\[\]|~$#])")
_OUTER_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")


def escape(text: str) -> str:
    """Return a text in which Markdown and HTML find no markup; names such as `macro_auroc` stay readable."""
    plain = _INLINE.sub(r"\\\1", printable(text))
    plain = _OUTER_UNDERSCORE.sub(r"\\_", plain)
    return "".join(_ENTITIES.get(one, one) for one in plain)


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of escaped texts."""
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def bullets(lines: Sequence[str]) -> str:
    """Return a list of escaped lines."""
    return "\n".join(f"- {line}" for line in lines)

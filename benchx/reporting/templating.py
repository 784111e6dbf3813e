"""How pages are filled from templates: everything escaped and on one line, numbers in the forms of `wording`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from benchx.errors import printable
from benchx.reporting import wording
from benchx.words import plural


@cache
def environment(templates: Path) -> Environment:
    """Return what reads the templates of a folder; a name that a template does not get is an error."""
    made = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_on_one_line,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    forms = (
        wording.digest_start,
        wording.interval,
        wording.number,
        wording.p_value,
        wording.percent,
        wording.published_value,
        wording.against_published,
        plural,
    )
    made.filters |= {form.__name__: form for form in forms}
    made.tests["web_address"] = _is_web_address
    return made


def _on_one_line(value: Any) -> Any:
    """Escape line separators and control characters of every text but benchx's own; keep a number with its `%`."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return printable(value).replace(" %", "\xa0%")


def _is_web_address(text: str) -> bool:
    """Whether a text may become a link: a card can hold any text, also `javascript:`."""
    return text.startswith(("https://", "http://"))

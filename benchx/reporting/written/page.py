"""Write a board as one self-contained page: no network, works from a file, complete without scripts."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from benchx.datasets.samples import UNITS
from benchx.reporting import wording
from benchx.reporting.board import Board
from benchx.reporting.grouping import published_beside
from benchx.reporting.templating import environment
from benchx.reporting.written.page_data import Detail, page_data
from benchx.reporting.written.page_diagram import critical_difference_diagram
from benchx.reporting.written.page_tables import grouped, published_rows, score_rows

SIZE_LIMIT = 990_000
"""Bytes; a page beyond it gives up detail of single cells, first of the smaller fractions."""

_TEMPLATES = Path(__file__).parent / "templates"
_SCRIPTS = ("data.js", "building.js", "table.js", "pairs.js", "cell.js", "controls.js")


def to_html(board: Board) -> str:
    """Return the board as one HTML page.

    Per-class, subgroup and calibration figures of single cells are kept for every column, else for each dataset's
    largest fraction, else for none: the first that stays below SIZE_LIMIT. The page says which, and that board.json
    has the rest.

    Everything that is not benchx's own reaches the page as escaped text or as JSON that scripts turn into text
    nodes; a Content-Security-Policy admits the page's own script by its digest and no request at all.
    """
    levels: tuple[Detail, ...] = ("all", "largest", "none")
    page = ""
    for detail in levels:
        page = _render(board, detail)
        if len(page.encode()) <= SIZE_LIMIT:
            break
    return page


def _render(board: Board, detail: Detail) -> str:
    script = _script()
    return (
        environment(_TEMPLATES)
        .get_template("board.html.j2")
        .render(
            board=board,
            detail=detail,
            groups=grouped(board),
            rows=score_rows(board),
            published=published_rows(board),
            comparisons=published_beside(board),
            diagrams=[critical_difference_diagram(standing) for standing in board.standings],
            dots=wording.DOTS,
            verdicts=wording.VERDICTS,
            corrections=wording.CORRECTIONS,
            families=wording.FAMILIES,
            drawn_words=wording.drawn_words,
            transductive=wording.TRANSDUCTIVE
            if any(row.transductive for column in board.columns for row in column.rows)
            else None,
            origins=wording.ORIGINS,
            units=UNITS,
            style=Markup((_TEMPLATES / "board.css").read_text("utf-8")),
            script=Markup(script),
            script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            data=Markup(_embedded(page_data(board, detail))),
        )
    )


@cache
def _script() -> str:
    parts = "\n".join((_TEMPLATES / name).read_text("utf-8") for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def _embedded(data: Any) -> str:
    """Return JSON that no HTML parser and no script parser reads as anything but data."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text

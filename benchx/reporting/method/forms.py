"""The two written forms of a method's report: Markdown, and one self-contained page for paper or PDF."""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import Markup

from benchx.reporting.markdown_text import bullets, escape, table
from benchx.reporting.method.parts import MethodReport, Section
from benchx.reporting.templating import environment

_TEMPLATES = Path(__file__).parent / "templates"
_NUMBERS = re.compile(r"\\\[([-+]?[\d.]+, [-+]?[\d.]+|[\d.]+ %)\\\](?![(\[:])")
"""An interval in escaped brackets that is not followed by what would make it a link or a link's definition."""


def report_markdown(report: MethodReport) -> str:
    """Return a report as Markdown in which no text of a card or a store is markup."""
    parts = [f"# {escape(report.title)}"]
    if report.warning is not None:
        parts.append(f"> **{escape(report.warning)}**")
    parts += [escape(report.lead), "## What was run"]
    parts.append(bullets([f"**{escape(label)}**: {escape(value)}" for label, value in report.facts]))
    for section in (*report.scores, *report.findings):
        parts += _section(section)
    if report.methods_section:
        parts += ["## For the methods section", *map(_readable, report.methods_section)]
    if report.references:
        parts += ["### References", bullets([escape(one) for one in report.references])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section) -> list[str]:
    parts = [f"## {escape(section.heading)}", bullets([_readable(line) for line in section.lines])]
    if section.table is not None:
        headers, *rows = ([_readable(cell) for cell in row] for row in (section.table.headers, *section.table.rows))
        parts.append(table(headers, rows))
    return parts


def _readable(text: str) -> str:
    """Escape a text, but leave `[0.79, 0.81]`, `[95 %]` and `p < 0.001` as they are: they cannot be markup."""
    return _NUMBERS.sub(r"[\1]", escape(text)).replace("p &lt; 0.001", "p < 0.001")


def report_html(report: MethodReport) -> str:
    """Return a report as an HTML page for A4 paper: no script, no request, everything in it escaped."""
    style = Markup((_TEMPLATES / "report.css").read_text("utf-8"))
    return environment(_TEMPLATES).get_template("report.html.j2").render(report=report, style=style)

"""`benchx report`: one method on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchx.cli.boards import DEFAULT_STORES, Stores, make_board
from benchx.cli.options import choice, out
from benchx.writing import write_file

FORMATS = ("markdown", "html")


def report(
    method: Annotated[str, typer.Argument(help="The method's name.")],
    suite: Annotated[str, typer.Option(help="A suite's name, or a suite file.")],
    store: Stores = DEFAULT_STORES,
    out_file: Annotated[Path | None, typer.Option("--out", help="The file; without it the report is printed.")] = None,
    form: Annotated[str, typer.Option("--format", help="markdown, or html (made for A4 paper and PDF).")] = "markdown",
    baseline: Annotated[str | None, typer.Option(help="The method that differences are shown against.")] = None,
) -> None:
    """Report on one method: where it stands, strong, weak or undecided, and sentences for a paper's methods section."""
    from benchx.reporting.method.forms import report_html, report_markdown
    from benchx.reporting.method.report import method_report

    write = {"markdown": report_markdown, "html": report_html}[choice(form, "--format", FORMATS)]
    text = write(method_report(make_board(suite, store, baseline=baseline, quiet=False), method))
    if out_file is None:
        out.out(text, end="", highlight=False)
        return
    write_file(out_file, text.encode())
    out.print(f"written: {out_file}", highlight=False, markup=False, soft_wrap=True)

"""`benchx compare`: has a change made a model better or worse?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from benchx.cli.options import Json, bars_for, choice, out
from benchx.errors import StoreError, UsageError
from benchx.tables import print_json, print_rows

REGRESSION_EXIT = 1


def compare(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="Folder of the results to compare with.")],
    head: Annotated[Path, typer.Argument(metavar="HEAD", help="Folder of the new results.")],
    suite: Annotated[str | None, typer.Option(help="Only this suite: its name, or a suite file.")] = None,
    fail_on: Annotated[
        str, typer.Option(help="What exits with 1: regression, or any (also inconclusive and missing).")
    ] = "regression",
    margin: Annotated[float, typer.Option(help="Differences of scores below this do not matter.")] = 0.01,
    level: Annotated[float, typer.Option(help="Of intervals; tests reject at 1 - level.")] = 0.95,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a comment for a pull request.")] = None,
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help="Write SARIF for code scanning.")] = None,
    json: Json = False,
) -> None:
    """Compare two stores cell by cell: improved, same, regressed, inconclusive, missing or new.

    Exit 0: nothing failed; 1: a regression, or a cell that failed in HEAD; 2: usage error, or nothing to compare.
    """
    from benchx.reporting.comparison import FAIL_ON
    from benchx.reporting.junit import to_junit
    from benchx.reporting.regression import compare as compare_stores
    from benchx.reporting.regression_texts import (
        failed,
        headline,
        rules_line,
        terminal_rows,
        to_json,
        to_markdown,
        workflow_commands,
    )
    from benchx.reporting.sarif import to_sarif
    from benchx.results.store import Store

    chosen = choice(fail_on, "--fail-on", FAIL_ON)
    named = [file.resolve() for file in (junit, markdown, sarif) if file is not None]
    if len(set(named)) < len(named):
        raise UsageError("two of the files to write are one", "the second would replace the first", "name two files")
    bars = bars_for(quiet=json)
    try:
        with bars.running():
            found = compare_stores(
                Store(base), Store(head), suite=_name(suite), margin=margin, level=level, advance=bars.stage("cells")
            )
    except StoreError as error:  # exit 1 means a regression, and a store that cannot be read is none
        raise UsageError(error.what, error.why, error.todo) from error
    for path, content in (
        (junit, to_junit(found, chosen)),
        (markdown, to_markdown(found, chosen).encode()),
        (sarif, to_sarif(found, chosen).encode()),
    ):
        if path is not None:
            _write(path, content)
    if json:
        print_json(out, to_json(found, chosen))
    else:
        rows = [{key: escape(value) for key, value in row.items()} for row in terminal_rows(found)]
        print_rows(out, rows, as_json=False)
        for line in (rules_line(found), headline(found, chosen)):
            out.print(line, highlight=False, markup=False, soft_wrap=True)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            for line in workflow_commands(found, chosen):
                out.out(line, highlight=False)
    if failed(found, chosen):
        raise typer.Exit(REGRESSION_EXIT)


def _name(suite: str | None) -> str | None:
    """Return the name of a suite that may be given as a file."""
    if suite is None or not suite.endswith((".yaml", ".yml")):
        return suite
    from benchx.suites import read_suite

    return read_suite(suite).name


def _write(path: Path, content: bytes) -> None:
    from benchx.writing import write_whole

    try:
        write_whole(path, content)
    except OSError as error:
        raise UsageError(
            f"{path} could not be written", error.strerror or str(error), "name another file or free space"
        ) from error

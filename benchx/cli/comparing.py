"""`benchx compare`: has a change made a model better or worse?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from benchx.cli.options import Json, bars_for, choice, out
from benchx.errors import BenchxError, UsageError, unforeseen
from benchx.tables import print_json, print_rows
from benchx.writing import write_file

if TYPE_CHECKING:
    from benchx.reporting.compare.comparison import Comparison, FailOn

REGRESSION_EXIT = 1


class NotCompared(BenchxError):
    """A comparison has ended without a verdict: exit 1 would say that something has become worse."""

    exit_code = 2


def compare(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="Folder of the results to compare with.")],
    head: Annotated[Path, typer.Argument(metavar="HEAD", help="Folder of the new results.")],
    suite: Annotated[str | None, typer.Option(help="Only this suite: its name, or a suite file.")] = None,
    fail_on: Annotated[
        str, typer.Option(help="What exits with 1: regression, or any (also inconclusive, missing, a draw missing).")
    ] = "regression",
    margin: Annotated[float, typer.Option(help="Differences of scores below this do not matter.")] = 0.01,
    level: Annotated[float, typer.Option(help="Of intervals; tests reject at 1 - level.")] = 0.95,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a comment for a pull request.")] = None,
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help="Write SARIF for code scanning.")] = None,
    json: Json = False,
) -> None:
    """Compare two stores cell by cell: improved, same, regressed, inconclusive, missing or new.

    Exit 0: nothing failed; 1: a regression, or a cell that failed in HEAD; 2: any error, or nothing to compare.
    """
    with _errors_exit_with_two():
        from benchx.reporting.compare.comparison import FAIL_ON, judged_by
        from benchx.reporting.compare.junit import to_junit
        from benchx.reporting.compare.sarif import to_sarif
        from benchx.reporting.compare.stores import compare as compare_stores
        from benchx.reporting.compare.texts import failed, to_markdown
        from benchx.results.store import Store

        chosen = choice(fail_on, "--fail-on", FAIL_ON)
        _check_targets({"--junit": junit, "--markdown": markdown, "--sarif": sarif})
        name = _name(suite)
        bars = bars_for(quiet=json)
        with bars.running():
            compared = compare_stores(
                Store(base), Store(head), suite=name, margin=margin, level=level, advance=bars.stage("cells")
            )
        found = judged_by(compared, chosen)
        with suppress(SystemExit):  # whoever reads the table has seen enough; files and exit code are still due
            _print(found, chosen, json)
        for path, content in (
            (junit, to_junit(found, chosen)),
            (markdown, to_markdown(found, chosen).encode()),
            (sarif, to_sarif(found, chosen).encode()),
        ):
            if path is not None:
                write_file(path, content)
        worse = failed(found, chosen)
    if worse:
        raise typer.Exit(REGRESSION_EXIT)


@contextmanager
def _errors_exit_with_two() -> Iterator[None]:
    try:
        yield
    except BenchxError as error:
        raise NotCompared(error.what, error.why, error.todo) from error
    except SystemExit as stopped:  # rich, when nobody reads the progress bars any more
        raise typer.Exit(NotCompared.exit_code) from stopped
    except Exception as error:
        raise unforeseen(error, NotCompared) from error


def _name(suite: str | None) -> str | None:
    """Return the name of a suite that may be given as a file."""
    if suite is None or not suite.endswith((".yaml", ".yml")):
        return suite
    from benchx.suites import read_suite

    return read_suite(suite).name


def _check_targets(targets: dict[str, Path | None]) -> None:
    """Check that files can be written, before anything is computed; no trace is left."""
    named = {option: path for option, path in targets.items() if path is not None}
    if len({path.resolve() for path in named.values()}) < len(named):
        raise UsageError("two of the files to write are one", "the second would replace the first", "name two files")
    for option, path in named.items():
        try:
            if path.exists() and not path.is_file():
                raise UsageError(f"{option} {path} could not be written", "it is there and is no file", "name a file")
            folder = next(one for one in path.absolute().parents if one.exists())
            with TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise UsageError(
                f"{option} {path} could not be written",
                f"nothing can be written there: {error.strerror or error}",
                "name a file in a folder that you may write to",
            ) from error


def _print(found: Comparison, fail_on: FailOn, json: bool) -> None:
    from benchx.reporting.compare.texts import headline, rules_line, terminal_rows, to_json, workflow_commands

    if json:
        return print_json(out, to_json(found, fail_on))
    rows = [{key: escape(value) for key, value in row.items()} for row in terminal_rows(found)]
    print_rows(out, rows, as_json=False)
    for line in (rules_line(found), headline(found, fail_on)):
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in workflow_commands(found, fail_on):
            out.out(line, highlight=False)
    return None

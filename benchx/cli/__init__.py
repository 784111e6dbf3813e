"""The command line: parse, call, print."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from benchx import __version__
from benchx.cli import boards, comparing, data, head_to_head, methods, pairing, publishing, reports, scoring
from benchx.cli.options import (
    DataRoot,
    Json,
    Roots,
    StoreDir,
    bars_for,
    err,
    out,
    parse_fraction,
    parse_pairs,
    parse_shard,
)
from benchx.errors import BenchxError, UsageError, unforeseen
from benchx.tables import print_blocks, print_json, print_rows

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
store_app = typer.Typer(no_args_is_help=True, help="Results stores: status, merge, clean up.")
score_app = typer.Typer(no_args_is_help=True, help="Score what is already there: reports.")
for name, group in (("data", data.app), ("methods", methods.app), ("store", store_app), ("score", score_app)):
    app.add_typer(group, name=name)

score_app.command()(scoring.reports)
score_app.command()(scoring.fetch)
app.command()(boards.leaderboard)
app.command()(reports.report)
app.command()(pairing.pair)
app.command()(head_to_head.head_to_head)
app.command()(comparing.compare)
publishing.register(app)

INCOMPLETE_EXIT = 3


def main() -> None:
    """Run the command line; errors are three lines, tracebacks only with --debug, which changes no exit code."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except BenchxError as error:
        if debug:
            sys.__excepthook__(type(error), error, error.__traceback__)
            sys.exit(error.exit_code)
        _fail(error)
    except Exception as error:  # no traceback at the user; this is a fault of ours
        if debug:
            raise
        _fail(unforeseen(error))
    except KeyboardInterrupt:
        err.print("stopped; finished cells are kept, run the same command again to continue")
        sys.exit(130)


def _fail(error: BenchxError) -> NoReturn:
    err.print(f"error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
    sys.exit(error.exit_code)


def _version(value: bool) -> None:
    if value:
        out.print(f"benchx {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (anywhere on the line).")] = False,
) -> None:
    """A benchmark harness for medical vision-language pretraining."""


@app.command()
def run(
    suite: Annotated[str, typer.Option(help="A suite's name, or a suite file.")],
    method: Annotated[
        list[str], typer.Option(help="A method, or a card file; give it again for more. Default: those of the suite.")
    ] = [],
    dataset: Annotated[list[str], typer.Option(help="Only this dataset; it must be there.")] = [],
    task: Annotated[list[str], typer.Option(help="Only this task.")] = [],
    protocol: Annotated[list[str], typer.Option(help="Only this protocol.")] = [],
    fraction: Annotated[list[str], typer.Option(help="Only this label fraction: 0.01 or 1%.")] = [],
    seed: Annotated[list[int], typer.Option(help="Only this seed.")] = [],
    data_root: DataRoot = None,
    root: Roots = [],
    checkpoint: Annotated[list[str], typer.Option(metavar="METHOD=FILE", help="Weights of one method.")] = [],
    splits: Annotated[Path | None, typer.Option(help="Folder of BenchX's split lists.")] = None,
    store: StoreDir = Path("benchx-store"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    shard: Annotated[str, typer.Option(metavar="I/N", help="Only the I-th of N parts.")] = "1/1",
    skip_unreadable: Annotated[bool, typer.Option(help="Leave unreadable images out, and say so.")] = False,
    retry_failed: Annotated[bool, typer.Option(help="Run cells again whose last run failed.")] = False,
    recompute: Annotated[bool, typer.Option(help="Run finished cells again.")] = False,
    strict: Annotated[bool, typer.Option(help="Stop at the first cell that cannot run.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Print the cells, their states and an estimate; run nothing.")] = False,
    json: Json = False,
) -> None:
    """Run a suite for one or more methods; finished cells are not run again."""
    from benchx.request import request
    from benchx.runs import make_workspace, run_request

    asked = request(
        suite,
        method,
        datasets=dataset,
        tasks=task,
        protocols=protocol,
        fractions=[parse_fraction(text) for text in fraction],
        seeds=seed,
        shard=parse_shard(shard),
    )
    bars = bars_for(quiet=json)
    workspace = make_workspace(
        asked,
        data_root=data_root,
        roots=parse_pairs(root, "--root"),
        checkpoints=parse_pairs(checkpoint, "--checkpoint"),
        splits=splits,
        store=store,
        device=device,
        skip_unreadable=skip_unreadable,
        progress=bars,
    )
    if dry_run:
        from benchx.estimate import forecast

        plan = forecast(asked.cells, workspace, retry_failed=retry_failed)
        if json:
            return print_json(out, plan.to_dict())
        print_rows(out, plan.rows(), as_json=False, title=f"suite {asked.suite.name}: {len(asked.cells)} cells")
        for line in plan.lines():
            out.print(line, highlight=False, markup=False)
        return None
    with bars.running():
        summary = run_request(asked, workspace, retry_failed=retry_failed, recompute=recompute, strict=strict)
    if json:
        print_json(out, {"counts": summary.counts, "store": str(store), "cells": summary.rows()})
    else:
        for line in summary.shortfalls():
            out.print(line, highlight=False, markup=False, soft_wrap=True)
        counts = ", ".join(f"{count} {state}" for state, count in summary.counts.items())
        out.print(
            f"{len(summary.finished)} cells: {counts or 'none in this shard'}; results in {store}",
            highlight=False,
            markup=False,
        )
    if not summary.complete:
        raise typer.Exit(INCOMPLETE_EXIT)


@app.command(name="list")
def list_names(
    what: Annotated[str, typer.Argument(metavar="suites|methods|datasets|exposure")],
    long: Annotated[bool, typer.Option("--long", help="Datasets and methods: all that is known of each.")] = False,
    tag: Annotated[
        list[str], typer.Option(metavar="AXIS=VALUE", help="Methods with this tag; of several all must hold.")
    ] = [],
    json: Json = False,
) -> None:
    """List what benchx knows; exposure is which method's pretraining saw which dataset."""
    from benchx.errors import unknown_name
    from benchx.listing import IN_FULL, LISTINGS, tagged

    if what not in LISTINGS:
        raise unknown_name("list", what, LISTINGS)
    if long and what not in IN_FULL:
        raise UsageError(f"list {what} has no --long", f"{' and '.join(IN_FULL)} have more to tell", "leave it out")
    if tag and what != "methods":
        raise UsageError(f"list {what} has no --tag", "only methods have tags", "leave it out")
    rows = (IN_FULL if long else LISTINGS)[what]()
    if tag:
        rows = tagged(rows, tag)
    if long:
        print_blocks(out, rows, as_json=json)
    else:
        print_rows(out, rows, as_json=json, empty="no method has all these tags")


@app.command()
def doctor(data_root: DataRoot = None, json: Json = False) -> None:
    """Show versions, the device, and where data and weights are looked for."""
    from benchx.doctor import diagnose

    print_rows(out, diagnose(data_root), as_json=json)


@app.command()
def new(
    what: Annotated[str, typer.Argument(metavar="dataset|method")],
    name: Annotated[str, typer.Argument(help="Letters, digits and hyphens.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path(),
) -> None:
    """Write the files to start a dataset or a method of your own from, with a test that fails until they are right."""
    from benchx.errors import unknown_name
    from benchx.scaffold import new_dataset, new_method

    makers = {"dataset": new_dataset, "method": new_method}
    if what not in makers:
        raise unknown_name("thing to make", what, makers)
    files = makers[what](name, out_dir)
    out.print("written: " + ", ".join(map(str, files)), highlight=False, markup=False, soft_wrap=True)
    if what == "method":
        out.print(f"next:    edit {files[0]}; benchx methods check {files[0]} --checkpoint FILE", soft_wrap=True)


@store_app.command()
def status(store: StoreDir = Path("benchx-store"), json: Json = False) -> None:
    """Count the results of a store by suite, method, dataset, protocol and state."""
    from benchx.results.status import status_rows
    from benchx.results.store import Store

    print_rows(out, status_rows(Store(store)), as_json=json, empty=f"no results in {store}")


@store_app.command()
def merge(other: Path, store: StoreDir = Path("benchx-store")) -> None:
    """Copy the results of OTHER that the store lacks."""
    from benchx.results.store import Store

    done = Store(store).merge(Store(other))
    out.print(f"{done.copied} results copied, {done.present} were there", highlight=False)


@store_app.command()
def gc(
    store: StoreDir = Path("benchx-store"),
    caches: Annotated[bool, typer.Option(help="Also remove cached pixels and features.")] = False,
) -> None:
    """Remove what killed runs left behind; results are kept. Not while a run writes to the store."""
    from benchx.results.store import Store

    freed = Store(store).gc(caches=caches)
    out.print(f"{freed / 1e6:.1f} MB freed", highlight=False)

"""The command line: parse, call, print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from benchx import __version__
from benchx.errors import BenchxError, UsageError
from benchx.tables import print_json, print_rows

if TYPE_CHECKING:
    from benchx.progress import Bars, Silent

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
data_app = typer.Typer(no_args_is_help=True, help="Datasets: make a phantom, check a copy.")
methods_app = typer.Typer(no_args_is_help=True, help="Methods: check that a checkpoint fills its encoder.")
store_app = typer.Typer(no_args_is_help=True, help="Results stores: status, merge, clean up.")
for name, group in (("data", data_app), ("methods", methods_app), ("store", store_app)):
    app.add_typer(group, name=name)

WIDTH_IN_FILES = 200
out = Console(width=None if sys.stdout.isatty() else WIDTH_IN_FILES)
err = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
StoreDir = Annotated[Path, typer.Option("--store", help="Folder of the results.")]
DataRoot = Annotated[Path | None, typer.Option("--data-root", help="Folder with one folder per dataset.")]
Roots = Annotated[list[str], typer.Option("--root", metavar="DATASET=DIR", help="Folder of one dataset.")]
INCOMPLETE_EXIT = 3


def main() -> None:
    """Run the command line; errors are three lines, tracebacks only with --debug."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except BenchxError as error:
        if debug:
            raise
        _fail(error)
    except Exception as error:  # no traceback at the user; this is a fault of ours
        if debug:
            raise
        text = " ".join(str(error).split())
        _fail(
            BenchxError(f"unforeseen {type(error).__name__}", text, "run again with --debug and report what it shows")
        )
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
    method: Annotated[list[str], typer.Option(help="A method, or a card file; give it again for more.")],
    dataset: Annotated[list[str], typer.Option(help="Only this dataset; it must be there.")] = [],
    task: Annotated[list[str], typer.Option(help="Only this task.")] = [],
    protocol: Annotated[list[str], typer.Option(help="Only this protocol.")] = [],
    fraction: Annotated[list[str], typer.Option(help="Only this label fraction: 0.01 or 1%.")] = [],
    seed: Annotated[list[int], typer.Option(help="Only this seed.")] = [],
    data_root: DataRoot = None,
    root: Roots = [],
    checkpoint: Annotated[list[str], typer.Option(metavar="METHOD=FILE", help="Weights of one method.")] = [],
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
        fractions=[_fraction(text) for text in fraction],
        seeds=seed,
        shard=_shard(shard),
    )
    bars = _bars(quiet=json)
    workspace = make_workspace(
        asked,
        data_root=data_root,
        roots=_pairs(root, "--root"),
        checkpoints=_pairs(checkpoint, "--checkpoint"),
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
    what: Annotated[str, typer.Argument(metavar="suites|methods|datasets")],
    json: Json = False,
) -> None:
    """List what benchx knows."""
    from benchx.listing import LISTINGS

    if what not in LISTINGS:
        from benchx.errors import unknown_name

        raise unknown_name("list", what, LISTINGS)
    print_rows(out, LISTINGS[what](), as_json=json)


@app.command()
def leaderboard(
    suite: Annotated[str, typer.Option(help="A suite's name, or a suite file.")],
    store: StoreDir = Path("benchx-store"),
    out_dir: Annotated[Path | None, typer.Option("--out", help="Folder for the board's files.")] = None,
    json: Json = False,
) -> None:
    """Build the board of a suite from the stored predictions: Markdown and JSON."""
    from benchx.reporting.leaderboard import build_board
    from benchx.reporting.rendering import to_json, to_markdown, write_board
    from benchx.results.store import Store
    from benchx.suites import read_suite

    resolved = read_suite(suite)
    bars = _bars(quiet=json)
    with bars.running():
        board = build_board(resolved, Store(store), bars.stage("intervals"))
    files = write_board(board, out_dir or store / "leaderboards" / resolved.name)
    if json:
        return print_json(out, to_json(board))
    out.print(to_markdown(board), highlight=False, markup=False, soft_wrap=True)
    out.print("written: " + ", ".join(map(str, files)), highlight=False, markup=False, soft_wrap=True)
    return None


@app.command()
def doctor(data_root: DataRoot = None, json: Json = False) -> None:
    """Show versions, the device, and where data and weights are looked for."""
    from benchx.doctor import diagnose

    print_rows(out, diagnose(data_root), as_json=json)


@data_app.command()
def phantom(
    layout: Annotated[str, typer.Argument(help="An official layout, or all: a data root with every dataset.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder of the dataset, or of all datasets.")],
    patients: Annotated[int, typer.Option(min=1)],
    seed: Annotated[int, typer.Option(min=0)] = 0,
    size: Annotated[int, typer.Option(min=64, max=1024, help="Side of the images in pixels.")] = 512,
) -> None:
    """Write a simulated dataset in an official layout: no patients, no download."""
    from benchx.errors import unknown_name
    from benchx.phantom.writers import LAYOUTS, write, write_all

    if layout not in ("all", *LAYOUTS):
        raise unknown_name("phantom layout", layout, ("all", *LAYOUTS))
    bars = _bars(quiet=False)
    with bars.running():
        stage = bars.stage(f"phantom {layout}: patients")
        if layout == "all":
            write_all(out_dir, patients, seed, size, stage)
        else:
            write(layout, out_dir, patients, seed, size, stage)
    out.print(f"{patients} simulated patients in {out_dir}", highlight=False, markup=False)


@data_app.command()
def check(dataset: str, data_root: DataRoot = None, root: Roots = [], json: Json = False) -> None:
    """Check a dataset: counts per split and class, missing and unreadable files, patients in two splits."""
    from benchx.datasets import get_dataset
    from benchx.datasets.check import check as check_files
    from benchx.runs import find_data
    from benchx.tables import print_report

    get_dataset(dataset)
    bars = _bars(quiet=json)
    samples = find_data(dataset, data_root, _pairs(root, "--root"))
    with bars.running():
        report = check_files(samples, bars.stage(f"{dataset}: images"))
    print_json(out, report.to_dict()) if json else print_report(out, report)
    if not report.sound:
        raise typer.Exit(1)


@methods_app.command(name="check")
def check_method(
    method: str,
    checkpoint: Annotated[Path | None, typer.Option(help="The official checkpoint file.")] = None,
    json: Json = False,
) -> None:
    """Check that a checkpoint fills a method's encoder, and show what its features look like."""
    from benchx.methods.checking import check as check_weights

    report = check_weights(method, checkpoint).to_dict()
    if json:
        return print_json(out, report)
    print_rows(out, [{"": key, "value": value} for key, value in _flat(report).items()], as_json=False)
    return None


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


def _bars(*, quiet: bool) -> Bars | Silent:
    from benchx.progress import Bars, Silent

    return Silent() if quiet else Bars(err)


def _pairs(values: list[str], option: str) -> Mapping[str, Path]:
    pairs = {}
    for value in values:
        key, equals, path = value.partition("=")
        if not (key and equals and path):
            raise UsageError(f"{option} {value} is not NAME=PATH", "the '=' or a side of it is missing", "mend it")
        pairs[key] = Path(path)
    return pairs


def _number(text: str, option: str, convert: Callable[[str], float]) -> float:
    try:
        return convert(text)
    except ValueError:
        raise UsageError(f"{option} {text} is not a number", "expected e.g. 0.01 or 1%", "mend it") from None


def _fraction(text: str) -> float:
    if text.endswith("%"):
        return _number(text[:-1], "--fraction", float) / 100
    return _number(text, "--fraction", float)


def _shard(text: str) -> tuple[int, int]:
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal()):
        raise UsageError(f"--shard {text} is not I/N", "expected e.g. 1/4", "mend it")
    return int(part), int(parts)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat

"""`benchx data`: make a phantom, see what is there, check and audit it, fetch split lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchx.cli.options import DataRoot, Json, Roots, StoreDir, bars_for, out, parse_pairs
from benchx.tables import print_json, print_rows, write_json

app = typer.Typer(no_args_is_help=True, help="Datasets: make a phantom, see what is there, check and audit it.")
splits_app = typer.Typer(no_args_is_help=True, help="Published split lists.")
app.add_typer(splits_app, name="splits")


@app.command()
def phantom(
    layout: Annotated[str, typer.Argument(help="An official layout, or all: a data root with every dataset.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder of the dataset, or of all datasets.")],
    patients: Annotated[int, typer.Option(min=1, help="How many; from 9 on, every layout has all its parts.")],
    seed: Annotated[int, typer.Option(min=0)] = 0,
    size: Annotated[int, typer.Option(min=64, max=1024, help="Side of the images in pixels.")] = 512,
) -> None:
    """Write a simulated dataset in an official layout: no patients, no download."""
    from benchx.errors import unknown_name
    from benchx.phantom.writers import LAYOUTS, write, write_all

    if layout not in ("all", *LAYOUTS):
        raise unknown_name("phantom layout", layout, ("all", *LAYOUTS))
    bars = bars_for(quiet=False)
    with bars.running():
        stage = bars.stage(f"phantom {layout}: patients")
        if layout == "all":
            write_all(out_dir, patients, seed, size, stage)
        else:
            write(layout, out_dir, patients, seed, size, stage)
    out.print(f"{patients} simulated patients in {out_dir}", highlight=False, markup=False)


@app.command()
def status(
    suite: Annotated[str | None, typer.Option(help="Only the datasets of this suite.")] = None,
    data_root: DataRoot = None,
    root: Roots = [],
    json: Json = False,
) -> None:
    """Say of every dataset whether it is there: verified, files missing, unreadable, or not there and where from."""
    from benchx.availability import states

    rows = [state.row() for state in states(suite, data_root, parse_pairs(root, "--root"))]
    print_rows(out, rows, as_json=json)


@app.command()
def check(
    dataset: Annotated[str, typer.Argument(help="A dataset's name, or the description of your own.")],
    data_root: DataRoot = None,
    root: Roots = [],
    json: Json = False,
) -> None:
    """Check a dataset: counts per split and class, missing and unreadable files, patients in two splits."""
    from benchx.datasets.check import check as check_files
    from benchx.runs import find_data
    from benchx.tables import print_report

    bars = bars_for(quiet=json)
    samples = find_data(dataset, data_root, parse_pairs(root, "--root"))
    with bars.running():
        report = check_files(samples, bars.stage(f"{samples.dataset}: images"))
    print_json(out, report.to_dict()) if json else print_report(out, report)
    if not report.sound:
        raise typer.Exit(1)


@app.command()
def audit(
    dataset: Annotated[list[str] | None, typer.Argument(help="Datasets; none = all that are there.")] = None,
    data_root: DataRoot = None,
    root: Roots = [],
    store: StoreDir = Path("benchx-store"),
    out_file: Annotated[Path | None, typer.Option("--out", help="Also write the whole report, as JSON.")] = None,
    json: Json = False,
) -> None:
    """Look for leaks between parts and datasets, repeated and odd pictures, wrong outlines; exit 1 on a leak."""
    from benchx.auditing import audit_datasets

    bars = bars_for(quiet=json)
    with bars.running():
        report = audit_datasets(
            dataset or [], data_root=data_root, roots=parse_pairs(root, "--root"), store=store, progress=bars
        )
    if out_file is not None:
        write_json(out_file, report.to_dict())
    if json:
        print_json(out, report.to_dict())
    else:
        print_rows(out, report.rows(), as_json=False, empty="nothing found")
    if report.leaks:
        raise typer.Exit(1)


@splits_app.command()
def fetch(
    out_dir: Annotated[Path | None, typer.Option("--out", help="Folder of the lists.")] = None,
) -> None:
    """Fetch BenchX's split lists from its public repository; only the published ones are taken, by sha256."""
    from benchx.datasets.benchx_lists import SPLITS_FOLDER
    from benchx.datasets.fetching import REPOSITORY, fetch_lists

    folder = out_dir or SPLITS_FOLDER
    bars = bars_for(quiet=False)
    with bars.running():
        fetched = fetch_lists(folder, bars.stage("split lists"), REPOSITORY)
    out.print(f"{fetched} lists fetched, all are in {folder}", highlight=False, markup=False, soft_wrap=True)

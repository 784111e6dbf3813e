"""`benchx bundle`, `verify` and `model-index`: hand results on, check what others hand on, describe a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from benchx.cli.options import DataRoot, Json, StoreDir, out
from benchx.tables import print_json, print_rows
from benchx.words import plural
from benchx.writing import write_file

UNSOUND_EXIT = 1

SuiteName = Annotated[str, typer.Option("--suite", help="A suite's name, or a suite file.")]
MethodName = Annotated[str, typer.Option("--method", help="The method's name.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(bundle)
    app.command()(verify)
    app.command(name="model-index")(model_index)


def bundle(
    suite: SuiteName,
    method: MethodName,
    store: StoreDir = Path("benchx-store"),
    out_file: Annotated[
        Path | None, typer.Option("--out", help="The file; without it SUITE-METHOD.benchx.zip.")
    ] = None,
    with_reports: Annotated[bool, typer.Option(help="Also take generated reports, of open data only.")] = False,
) -> None:
    """Bundle a method's results on a suite for others to check: records, predictions and trials, no images.

    On data that is not open, ids are replaced by pseudonyms and labels are left out.
    """
    from benchx.publishing.bundle import make_bundle, write_bundle
    from benchx.results.store import Store
    from benchx.suites import read_suite

    made = make_bundle(read_suite(suite), Store(store), method, with_reports=with_reports)
    path = out_file or Path(made.file_name)
    write_bundle(made, path)
    manifest = made.manifest
    cells = sum(entry.path.endswith("/record.json") for entry in manifest.files)
    lines = [f"{plural(cells, 'cell')} of '{method}', {len(manifest.missing)} missing"]
    lines += [f"missing: {one.label} ({one.state})" for one in manifest.missing]
    lines += [f"pseudonyms, no labels: {name}" for name in manifest.pseudonymous]
    lines += [f"id {manifest.id}", f"written: {path} ({len(made.content) / 1e6:.1f} MB)"]
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def verify(
    file: Annotated[Path, typer.Argument(metavar="BUNDLE")],
    data_root: DataRoot = None,
    against: Annotated[list[Path], typer.Option(help="A bundle or a store to look for copies in; repeatable.")] = [],
    suite: Annotated[
        str | None, typer.Option(help="The suite that the bundle must be of: a name, or a suite file.")
    ] = None,
    json: Json = False,
) -> None:
    """Check a bundle: whole, untouched, and every score recomputed from its predictions; exit 1 with all reasons.

    With a data root, split, test cases and labels are compared with one's own files.
    """
    from benchx.publishing.verify import verify as check
    from benchx.suites import read_suite

    asked = None if suite is None else read_suite(suite)
    verdict = check(file, data_root=data_root, against=against, suite=asked)
    if json:
        print_json(out, verdict.to_dict())
    else:
        cells = [
            {"key": cell.key[:12], "cell": escape(cell.label), "score": cell.score, "state": cell.state}
            for cell in verdict.cells
        ]
        findings = [
            {"": one.severity, "check": one.check, "where": escape(one.where), "what": escape(one.what)}
            for one in verdict.findings
        ]
        print_rows(out, cells, as_json=False, title="cells", empty="no cell could be read")
        print_rows(out, findings, as_json=False, title="findings", empty="nothing found")
        out.print(f"{'sound' if verdict.sound else 'NOT sound'}: {file.name}", highlight=False, markup=False)
    if not verdict.sound:
        raise typer.Exit(UNSOUND_EXIT)


def model_index(
    suite: SuiteName,
    method: MethodName,
    store: StoreDir = Path("benchx-store"),
    out_file: Annotated[Path | None, typer.Option("--out", help="The file; without it the YAML is printed.")] = None,
    source_url: Annotated[str | None, typer.Option(help="Where the results are published.")] = None,
) -> None:
    """Write a method's results as the model-index of a Hugging Face model card."""
    from benchx.publishing.model_index import model_index as index_of
    from benchx.publishing.model_index import to_yaml
    from benchx.publishing.selection import select
    from benchx.results.store import Store
    from benchx.suites import read_suite

    results = Store(store)
    text = to_yaml(index_of(select(read_suite(suite), results, method), results, source_url))
    if out_file is None:
        out.out(text, end="", highlight=False)
        return
    write_file(out_file, text.encode())
    out.print(f"written: {out_file}", highlight=False, markup=False, soft_wrap=True)

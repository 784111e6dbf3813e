"""`benchx head-to-head`: adapted methods against the bases that they were made from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from benchx.cli.boards import DEFAULT_STORES, Stores
from benchx.cli.options import Json, bars_for, out
from benchx.tables import print_json, print_rows


def head_to_head(
    suite: Annotated[str, typer.Option(help="A suite's name, or a suite file.")],
    pairs: Annotated[
        list[str], typer.Option(metavar="ADAPTED:BASE", help="A method and what it was made from; may be repeated.")
    ],
    store: Stores = DEFAULT_STORES,
    out_dir: Annotated[Path | None, typer.Option("--out", help="Folder for Markdown, CSV and JSON.")] = None,
    json: Json = False,
) -> None:
    """Set adapted methods against their bases: wins, ties and losses, beside what equal methods would show.

    The usual pairs are in docs/methods.md; `random:METHOD` is a base for any method that was run with its random twin.
    """
    from benchx.methods.cards.reading import card_names
    from benchx.reporting.head_to_head.comparing import head_to_head as compare
    from benchx.reporting.head_to_head.forms import check_folder, to_json, write_head_to_head
    from benchx.reporting.head_to_head.words import cell_rows, rate_rows, rules, seen_text
    from benchx.results.store import Store
    from benchx.suites import read_suite

    if out_dir is not None:
        check_folder(out_dir)
    resolved = read_suite(suite)
    bars = bars_for(quiet=json)
    with bars.running():
        found = compare(resolved, [Store(path) for path in store], pairs, card_names(), bars.stage("columns"))
    files = [] if out_dir is None else write_head_to_head(found, out_dir)
    if json:
        return print_json(out, to_json(found))
    for pair in found.pairs:
        rows = [{name: escape(value) for name, value in row.items()} for row in cell_rows(pair)]
        print_rows(out, rows, as_json=False, title=escape(pair.name))
        _lines(*(f"{cell.name}: {said}" for cell in pair.cells if (said := seen_text(cell))))
        _lines(*(f"not compared: {one}" for one in pair.left_out))
    print_rows(out, rate_rows(found), as_json=False, title="wins, ties and losses")
    _lines(*rules(found), f"data: {found.data}", *found.notes)
    _lines(*([f"written: {', '.join(map(str, files))}"] if files else []))
    return None


def _lines(*lines: str) -> None:
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=True)

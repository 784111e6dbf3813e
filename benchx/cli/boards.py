"""Commands that read results and write boards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchx.cli.options import Json, bars_for, choice, out
from benchx.tables import print_json

if TYPE_CHECKING:
    from benchx.reporting.board import Board

Stores = Annotated[list[Path], typer.Option("--store", help="Folder of results; may be repeated.")]
DEFAULT_STORES = [Path("benchx-store")]


def leaderboard(
    suite: Annotated[str, typer.Option(help="A suite's name, or a suite file.")],
    store: Stores = DEFAULT_STORES,
    out_dir: Annotated[Path | None, typer.Option("--out", help="Folder for the board's files.")] = None,
    correction: Annotated[str, typer.Option(help="Of p values: holm or benjamini-hochberg.")] = "holm",
    family: Annotated[str, typer.Option(help="What p values are corrected over: column or board.")] = "column",
    margin: Annotated[float | None, typer.Option(help="Test equivalence within this difference of scores.")] = None,
    baseline: Annotated[str | None, typer.Option(help="The method that the forest plot compares with.")] = None,
    json: Json = False,
) -> None:
    """Build the board of a suite from stored predictions: web page, Markdown, CSV, JSON, LaTeX and figures."""
    from benchx.reporting.written.files import check_folder, write_board
    from benchx.reporting.written.json_board import to_json
    from benchx.reporting.written.markdown import to_markdown
    from benchx.suites import read_suite

    folder = out_dir or store[0] / "leaderboards" / read_suite(suite).name
    check_folder(folder)
    board = make_board(suite, store, correction=correction, family=family, margin=margin, baseline=baseline, quiet=json)
    files = write_board(board, folder)
    if json:
        return print_json(out, to_json(board))
    out.print(to_markdown(board), highlight=False, markup=False, soft_wrap=True)
    out.print("written: " + ", ".join(map(str, files)), highlight=False, markup=False, soft_wrap=True)
    return None


def make_board(
    suite: str,
    stores: list[Path],
    *,
    correction: str = "holm",
    family: str = "column",
    margin: float | None = None,
    baseline: str | None = None,
    quiet: bool,
) -> Board:
    """Build a board with progress bars."""
    from benchx.reporting.board import CORRECTIONS, FAMILIES
    from benchx.reporting.building.leaderboard import Rules, build_board
    from benchx.results.store import Store
    from benchx.suites import read_suite

    rules = Rules(
        correction=choice(correction, "--correction", CORRECTIONS),
        family=choice(family, "--family", FAMILIES),
        margin=margin,
        baseline=baseline,
    )
    resolved = read_suite(suite)
    bars = bars_for(quiet=quiet)
    with bars.running():
        return build_board(resolved, [Store(path) for path in stores], rules, certified, bars.stage("columns"))


def certified(card: Mapping[str, Any]) -> str | None:
    """Return the commit of the official code that a recorded card's outputs were compared with, or None."""
    from pydantic import ValidationError

    from benchx.methods.cards.schema import Card
    from benchx.methods.certificates import certificate_of

    try:
        found = certificate_of(Card.model_validate(card))
    except ValidationError:  # recorded by another version, or by hand: not the card that was certified
        return None
    return found.commit if found else None

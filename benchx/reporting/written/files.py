"""Write a board in all its forms into one folder."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from benchx.errors import UsageError
from benchx.reporting.board import Board
from benchx.reporting.written.csv_table import to_csv
from benchx.reporting.written.figures import KINDS, draw_figures, save
from benchx.reporting.written.json_board import to_json
from benchx.reporting.written.latex import to_latex
from benchx.reporting.written.markdown import to_markdown
from benchx.reporting.written.page import to_html
from benchx.writing import write_whole

_OURS = re.compile(rf"({'|'.join(KINDS)})--[a-z0-9-]+\.(svg|png)")


def check_folder(folder: Path) -> None:
    """See that a board can be written into a folder, which is made, before one is built.

    Raises:
        UsageError: the folder is a file, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", "a board is a folder of files", "give --out DIR")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def write_board(board: Board, folder: Path) -> list[Path]:
    """Write index.html, README.md, board.csv, board.json, table.tex and figures/, each whole or not at all.

    Figures of an earlier board that this one does not have are removed; other files in the folder are left alone.

    Returns:
        The files written.

    Raises:
        UsageError: the folder is a file, or cannot be written.
    """
    check_folder(folder)
    pictures = {name: save(figure) for name, figure in draw_figures(board).items()}
    contents = {
        "index.html": to_html(board).encode(),
        "README.md": to_markdown(board, figures=list(pictures)).encode(),
        "board.csv": to_csv(board).encode(),
        "board.json": (json.dumps(to_json(board), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode(),
        "table.tex": to_latex(board).encode(),
    }
    for name, (svg, png) in pictures.items():
        contents |= {f"figures/{name}.svg": svg, f"figures/{name}.png": png}
    try:
        for name, content in contents.items():
            write_whole(folder / name, content)
        for stale in (folder / "figures").glob("*"):
            if _OURS.fullmatch(stale.name) and f"figures/{stale.name}" not in contents:
                stale.unlink()
    except OSError as error:
        raise _unwritable(folder, error) from error
    return [folder / name for name in contents]


def _unwritable(folder: Path, error: OSError) -> UsageError:
    why = error.strerror or str(error)
    return UsageError(f"the board cannot be written into {folder}", why, "give another --out DIR")

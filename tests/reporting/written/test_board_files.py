from __future__ import annotations

import dataclasses
import json
import os

import pytest
from made_boards import made_board

from benchx.errors import UsageError
from benchx.reporting.board import Friedman
from benchx.reporting.method.forms import report_markdown
from benchx.reporting.method.report import method_report
from benchx.reporting.written import files
from benchx.reporting.written.json_board import to_json


@pytest.fixture
def quick_figures(monkeypatch):
    """Bytes instead of drawings: what is tested is which files are written."""
    monkeypatch.setattr(files, "draw_figures", lambda board: {"cost--a": "first", "forest--b--10": "second"})
    monkeypatch.setattr(files, "save", lambda figure: (f"svg {figure}".encode(), f"png {figure}".encode()))


@pytest.mark.usefixtures("quick_figures")
def test_all_forms_are_written(tmp_path):
    board = made_board(3, 2, 2)
    written = files.write_board(board, tmp_path / "new" / "board")
    found = sorted(path for path in (tmp_path / "new" / "board").rglob("*") if path.is_file())
    assert sorted(written) == found
    assert sorted(str(path.relative_to(tmp_path / "new" / "board")) for path in found) == [
        "README.md", "board.csv", "board.json", "figures/cost--a.png", "figures/cost--a.svg",
        "figures/forest--b--10.png", "figures/forest--b--10.svg", "index.html", "table.tex",
    ]  # fmt: skip
    assert json.loads((tmp_path / "new/board/board.json").read_text()) == json.loads(json.dumps(to_json(board)))
    assert (tmp_path / "new/board/figures/cost--a.svg").read_text() == "svg first"
    assert "figures/forest--b--10.svg" in (tmp_path / "new/board/README.md").read_text()


@pytest.mark.usefixtures("quick_figures")
def test_figures_that_are_no_longer_drawn_go_and_what_is_not_ours_stays(tmp_path):
    (tmp_path / "figures").mkdir()
    for name in ("cost--old.svg", "forest--b--1.png", "cost.svg", "photo--a.png", "cost--old.txt", "cost--Mine.svg"):
        (tmp_path / "figures" / name).write_text("earlier")
    files.write_board(made_board(2, 1, 1), tmp_path)
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "cost--Mine.svg", "cost--a.png", "cost--a.svg", "cost--old.txt", "cost.svg", "forest--b--10.png",
        "forest--b--10.svg", "photo--a.png",
    ]  # fmt: skip


@pytest.mark.usefixtures("quick_figures")
def test_the_same_board_gives_the_same_bytes(tmp_path):
    board = made_board(4, 2, 2)
    for name in ("one", "two"):
        files.write_board(board, tmp_path / name)
    for path in (tmp_path / "one").rglob("*.*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "board").write_text("a file")
    with pytest.raises(UsageError, match="is a file"):
        files.write_board(made_board(2, 1, 1), tmp_path / "board")


@pytest.mark.usefixtures("quick_figures")
def test_what_cannot_be_written_is_an_error_with_a_remedy(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(files, "write_whole", full)
    with pytest.raises(UsageError, match="No space left"):
        files.write_board(made_board(2, 1, 1), tmp_path)


def test_every_form_copes_with_blocks_that_all_rank_alike(tmp_path):
    board = made_board(3, 4, 1)
    alike = tuple(
        dataclasses.replace(one, friedman=Friedman(chi2=8.0, chi2_p=0.02, f=None, f_p=0.001)) for one in board.standings
    )
    written = files.write_board(dataclasses.replace(board, standings=alike), tmp_path / "board")
    readme = next(file for file in written if file.name == "README.md").read_text()
    assert "without a finite F, as all blocks rank alike, p = 0.001: the methods differ." in readme
    report = report_markdown(method_report(dataclasses.replace(board, standings=alike), board.methods[0].name))
    assert "None" not in readme + report

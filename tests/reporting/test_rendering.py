from __future__ import annotations

import dataclasses
import json
import re

import pytest

from benchx.reporting.board import Board, Column, Row
from benchx.reporting.rendering import to_json, to_markdown, write_board
from benchx.statistics.bootstrap import Interval


def interval(estimate: float) -> Interval:
    return Interval(estimate, estimate - 0.02, estimate + 0.03, 2000, 0, 0.95)


def row(method: str, score: float, **more) -> Row:
    behind = more.pop("behind", None)
    fields = {"seeds": (score,), "seed_names": ("0",), "planned_seeds": 1, "untrained": (), "unreadable": 0}
    return Row(method, interval(score), behind=behind, **{**fields, **more})


def column(fraction: float, *rows: Row) -> Column:
    return Column(
        dataset="nih",
        task="classification",
        protocol="frozen",
        fraction=fraction,
        split_kind="official",
        primary="macro_auroc",
        unit="patient",
        cases=64,
        units=30,
        shared_units=0,
        excluded={"Hernia": "no positive in test"},
        images="i",
        split="s",
        rows=rows,
        absent={"gloria": "out of memory"},
    )


@pytest.fixture
def board() -> Board:
    low = column(0.1, row("b", 0.6), row("a", 0.55, behind=interval(-0.05), planned_seeds=3))
    high = column(1.0, row("a", 0.8, untrained=("Mass",)), row("b", 0.7, behind=interval(-0.1), unreadable=2))
    return Board("chestxray", 1, "real", 0.95, 2000, (low, high), ("rsna / classification / frozen / 1 %: not run",))


def test_markdown_says_scores_gaps_and_what_is_left_out(board):
    text = re.sub(" +", " ", to_markdown(board))
    assert "| a | 0.550 [0.530, 0.580] (1 of 3 seeds) | 0.800 [0.780, 0.830] |" in text
    assert "| b | leader | -0.100 [-0.120, -0.070] |" in text
    for said in (
        "64 test images of 30 patients, split official",
        "Hernia (no positive in test)",
        "100 % (a): in some draw no training case to learn Mass",
        "100 % (b): 2 unreadable images left out",
        "10 %, gloria: no result (out of memory)",
        "- rsna / classification / frozen / 1 %: not run",
    ):
        assert said in text
    assert "phantom" not in text
    assert text.index("| a ") < text.index("| b ")


def test_what_holds_for_every_method_is_said_once(board):
    whole = column(1.0, row("a", 0.8, untrained=("Mass",)), row("b", 0.7, behind=interval(-0.1), untrained=("Mass",)))
    text = to_markdown(dataclasses.replace(board, columns=(whole,)))
    assert text.count("no training case") == 1
    assert "- 100 %: in some draw no training case to learn Mass" in text


def test_json_is_complete_and_versioned(board, tmp_path):
    markdown, file = write_board(board, tmp_path / "new")
    assert markdown.read_text().strip() == to_markdown(board)
    value = json.loads(file.read_text())
    assert value == json.loads(json.dumps(to_json(board)))
    assert value["schema_version"] == 1
    assert value["columns"][1]["rows"][0]["score"]["estimate"] == 0.8
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "leaderboard.json",
        "leaderboard.md",
    ]

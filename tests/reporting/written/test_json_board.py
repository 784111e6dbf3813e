"""A board as JSON holds everything: read back by pydantic it is the same board."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from made_boards import made_board
from pydantic import TypeAdapter

from benchx.reporting.board import Board
from benchx.reporting.written.json_board import to_json


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 1, 2), (6, 4, 3), (8, 5, 2)])
def test_a_board_survives_json_exactly(size):
    board = made_board(*size, seed=3)
    value = json.loads(json.dumps(to_json(board), allow_nan=False))
    assert value.pop("schema_version") == 3
    assert TypeAdapter(Board).validate_python(value) == board


def test_the_schema_version_comes_first():
    assert next(iter(to_json(made_board(2, 1, 1)).items())) == ("schema_version", 3)


def test_numbers_that_json_lacks_are_words():
    board = made_board(3, 4, 1)
    assert board.standings[0].friedman is not None
    endless = dataclasses.replace(board.standings[0].friedman, f=math.inf, f_p=math.nan, chi2=-math.inf)
    board = dataclasses.replace(board, standings=(dataclasses.replace(board.standings[0], friedman=endless),))
    value = json.loads(json.dumps(to_json(board), allow_nan=False))["standings"][0]["friedman"]
    assert (value["f"], value["chi2"], value["f_p"]) == ("Infinity", "-Infinity", "NaN")

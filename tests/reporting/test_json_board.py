from __future__ import annotations

import dataclasses
import json
import math

import pytest
from made_boards import made_board

from benchx.errors import StoreError
from benchx.reporting.json_board import from_json, to_json


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 1, 2), (6, 4, 3), (8, 5, 2)])
def test_a_board_survives_json_exactly(size):
    board = made_board(*size, seed=3)
    text = json.dumps(to_json(board), allow_nan=False)
    assert from_json(json.loads(text)) == board


def test_the_schema_version_comes_first():
    assert next(iter(to_json(made_board(2, 1, 1)).items())) == ("schema_version", 2)


def test_numbers_that_json_lacks_are_words():
    board = made_board(3, 4, 1)
    assert board.standings[0].friedman is not None
    endless = dataclasses.replace(board.standings[0].friedman, f=math.inf, f_p=math.nan, chi2=-math.inf)
    board = dataclasses.replace(board, standings=(dataclasses.replace(board.standings[0], friedman=endless),))
    value = json.loads(json.dumps(to_json(board), allow_nan=False))
    assert value["standings"][0]["friedman"]["f"] == "Infinity"
    test = from_json(value).standings[0].friedman
    assert test is not None
    assert (test.f, test.chi2) == (math.inf, -math.inf)
    assert math.isnan(test.f_p)


@pytest.mark.parametrize("version", [None, 1, 3, "2", True])
def test_another_schema_version_is_refused(version):
    with pytest.raises(StoreError, match="schema version"):
        from_json({**to_json(made_board(2, 1, 1)), "schema_version": version})


def test_what_is_no_object_is_refused():
    with pytest.raises(StoreError, match="schema version"):
        from_json([])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda value: value.pop("suite"), "suite"),
        (lambda value: value.update(extra=1), "extra"),
        (lambda value: value.update(version="three"), "board.version"),
        (lambda value: value.update(version=True), "board.version"),
        (lambda value: value.update(data="imaginary"), "board.data"),
        (lambda value: value.update(level=True), "board.level"),
        (lambda value: value.update(empty="text"), "board.empty"),
        (lambda value: value["columns"][0]["rows"][1].update(score=None), r"board.columns\[0\].rows\[1\].score"),
        (lambda value: value["columns"][0]["pairs"][0].update(different=1), r"pairs\[0\].different"),
        (lambda value: value["columns"][0]["rows"][0]["secondary"].update(ece="NaN?"), "secondary.ece"),
    ],
)
def test_fields_that_do_not_fit_are_named(change, where):
    value = json.loads(json.dumps(to_json(made_board(3, 1, 1))))
    change(value)
    with pytest.raises(StoreError, match=where):
        from_json(value)

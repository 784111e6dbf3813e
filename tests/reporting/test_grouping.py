from __future__ import annotations

import dataclasses

import pytest
from made_boards import made_board

from benchx.errors import printable
from benchx.reporting.grouping import (
    at_largest_fraction,
    by_dataset,
    by_task_and_protocol,
    difference,
    method_order,
    standing_of,
    tied_with_best,
)
from benchx.reporting.wording import number, p_value, percent


def test_a_difference_has_the_sign_that_was_asked_for():
    (column,) = made_board(3, 1, 1).columns
    pair = column.pairs[0]
    there, back = difference(column, pair.a, pair.b), difference(column, pair.b, pair.a)
    assert there is not None
    assert back is not None
    assert (there.value, there.low, there.high) == (pair.difference.value, pair.difference.low, pair.difference.high)
    assert (back.value, back.low, back.high) == (-there.value, -there.high, -there.low)
    assert there.low <= there.value <= there.high
    assert there.p_adjusted == back.p_adjusted == pair.p_adjusted
    assert difference(column, pair.a, "nobody") is None


def test_tied_with_the_best_is_what_shares_a_letter_with_it():
    for column in made_board(9, 4, 2).columns:
        best = column.rows[0]
        sharing = {row.method for row in column.rows[1:] if set(row.letters) & set(best.letters)}
        assert tied_with_best(column) == sharing


def test_columns_are_grouped_and_ordered():
    board = made_board(3, 4, 3)
    groups = by_task_and_protocol(board)
    assert list(groups) == [("classification", "frozen"), ("classification", "finetune")]
    shuffled = by_dataset(reversed(groups["classification", "frozen"]))
    assert all([column.fraction for column in group] == [0.01, 0.1, 1.0] for group in shuffled.values())
    assert {column.fraction for column in at_largest_fraction(board.columns)} == {1.0}


def test_ranked_methods_come_first_and_the_others_by_score():
    board = made_board(5, 3, 1)
    standing = standing_of(board, "classification", "frozen")
    assert standing is not None
    order = method_order(board.columns, standing)
    assert order == [place.method for place in standing.places] + list(standing.left_out)
    column = board.columns[0]
    assert method_order([column], None) == [row.method for row in column.rows]
    assert standing_of(dataclasses.replace(board, standings=()), "classification", "frozen") is None


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "+0.123"), (-0.0001, "+0.000"), (-0.02, "-0.020"), (float("inf"), "+inf")]
)
def test_signed_numbers_have_one_zero(value, text):
    assert number(value, signed=True) == text


def test_words():
    assert percent(0.01) == "1 %"
    assert [p_value(p) for p in (0.0002, 0.001, 0.0495, 1.0)] == ["p < 0.001", "p = 0.001", "p = 0.050", "p = 1.000"]
    assert printable("a\u2028b\x1b[31m\u4e2d") == "a\\u2028b\\x1b[31m\u4e2d"

from __future__ import annotations

import dataclasses
import io

import pandas as pd
import pytest
from made_boards import made_board

from benchx.errors import printable
from benchx.reporting.written.csv_table import to_csv


def read(board):
    return pd.read_csv(io.StringIO(to_csv(board)))


def test_pandas_reads_every_number_back_as_it_was():
    board = made_board(7, 4, 3, seed=1)
    table = read(board)
    ours = table[(table["origin"] == "here") & table["absent"].isna()]
    rows = [(column, place, row) for column in board.columns for place, row in enumerate(column.rows, start=1)]
    assert len(ours) == len(rows)
    for (_, line), (column, place, row) in zip(ours.iterrows(), rows, strict=True):
        assert line["method"].removeprefix("'") == printable(row.method)
        assert (line["dataset"], line["fraction"], line["place"]) == (column.dataset, column.fraction, place)
        assert (line["score"], line["low"], line["high"]) == (row.score.value, row.score.low, row.score.high)
        assert (line["se"], line["df"], line["level"]) == (row.score.se, row.score.df, row.score.level)
        assert line["case_sd"] ** 2 == pytest.approx(row.score.case_variance, rel=1e-12)
        assert pd.isna(line["draw_sd"]) == (row.score.draw_variance is None)
        assert (line["draws"], line["planned_draws"]) == (len(row.draws), row.planned_draws)
        assert (line["rank_low"], line["rank_high"], line["p_best"]) == (row.rank.low, row.rank.high, row.rank.best)
        assert (line["letters"], line["cases"], line["units"]) == (row.letters, column.cases, column.units)
        assert line["detectable"] == column.discriminability.detectable
        assert line["secondary_brier"] == row.secondary["brier"]


def test_tied_with_best_follows_the_corrected_pairs():
    board = made_board(5, 1, 1)
    (column,) = board.columns
    tied = {pair.b for pair in column.pairs if pair.a == column.rows[0].method and not pair.different}
    ours = read(board).query("origin == 'here' and absent.isna()")
    assert list(ours["tied_with_best"]) == [row.method in tied or row is column.rows[0] for row in column.rows]
    behind = {pair.b: pair for pair in column.pairs if pair.a == column.rows[0].method}
    for row, value, p in zip(
        column.rows[1:], ours["difference_to_best"][1:], ours["difference_p_adjusted"][1:], strict=True
    ):
        assert value == -behind[row.method].difference.value
        assert p == behind[row.method].p_adjusted


def test_published_and_absent_rows_are_there_without_rank():
    board = made_board(4, 3, 2)
    table = read(board)
    published = table[table["origin"] != "here"]
    assert len(published) == sum(len(column.published) for column in board.columns)
    assert set(published["origin"]) == {"paper", "authors-code"}
    assert published[["place", "letters", "p_best", "se"]].isna().all(axis=None)
    absent = table[table["absent"].notna()]
    assert list(absent["absent"]) == ["out of <memory> & time"]
    assert absent["score"].isna().all()


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_text_is_a_formula(start):
    board = made_board(2, 1, 1)
    (column,) = board.columns
    name = f"{start}cmd|' /C calc'!A0"
    rows = (dataclasses.replace(column.rows[0], method=name, contaminated=(name,)), column.rows[1])
    text = to_csv(dataclasses.replace(board, columns=(dataclasses.replace(column, rows=rows, pairs=(), dataset=name),)))
    line = pd.read_csv(io.StringIO(text, newline=""), dtype=str).iloc[0]
    assert [line["method"], line["dataset"], line["contaminated"]] == ["'" + name] * 3


def test_commas_and_quotes_stay_in_their_cell_and_every_row_is_a_line():
    board = made_board(2, 1, 1)
    (column,) = board.columns
    name = '\r\ta "quoted", name\nof two lines'
    rows = (dataclasses.replace(column.rows[0], method=name), column.rows[1])
    board = dataclasses.replace(board, columns=(dataclasses.replace(column, rows=rows, pairs=()),))
    assert read(board)["method"][0] == printable(name)
    assert len(to_csv(board).splitlines()) == 1 + 2 + len(column.published)

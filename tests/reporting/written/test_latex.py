from __future__ import annotations

import dataclasses
import re

import pytest
from made_boards import made_board

from benchx.reporting.written.latex import COLUMNS_PER_TABLE, escape, to_latex


def tables(text: str) -> list[str]:
    return re.findall(r"\\begin\{table\*\}.*?\\end\{table\*\}", text, flags=re.DOTALL)


def without_escapes(text: str) -> str:
    """A text in which every brace, & and % that is left is LaTeX's own."""
    return re.sub(r"\\[#$%&_{}]", "", text)


def cells(line: str) -> int:
    """How many columns a line of a table fills."""
    spans = [int(n) for n in re.findall(r"\\multicolumn\{(\d+)\}", line)]
    return without_escapes(line).count("&") + 1 + sum(spans) - len(spans)


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 2, 1), (6, 4, 3), (10, 12, 3)])
def test_braces_environments_and_columns_are_balanced(size):
    text = to_latex(made_board(*size))
    plain = without_escapes(text)
    depth = 0
    for one in plain:
        depth += {"{": 1, "}": -1}.get(one, 0)
        assert depth >= 0
    assert depth == 0
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+\*?)\}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    assert "%" not in plain.split("\n", 1)[1]
    for table in tables(text):
        columns = len(re.search(r"\\begin\{tabular\}\{l(c+)\}", table)[1])
        assert columns <= COLUMNS_PER_TABLE
        lines = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert len(lines) >= 4
        assert {cells(line) for line in lines} == {columns + 1}


def test_every_dataset_is_in_one_table_whole():
    board = made_board(3, 12, 3)
    text = to_latex(board)
    heads = re.findall(r"\\multicolumn\{(\d)\}\{c\}\{([^}]*)\}", text)
    assert sorted(name for _, name in heads) == sorted({escape(column.dataset) for column in board.columns})
    assert {count for count, _ in heads} == {"3"}
    assert text.count("(continued)") == len(tables(text)) - 2


def test_the_best_is_bold_and_what_is_not_told_apart_is_underlined():
    board = made_board(6, 1, 1)
    (column,) = board.columns
    text = to_latex(board)
    best = column.rows[0]
    for row in column.rows:
        line = next(line for line in text.splitlines() if line.startswith(escape(row.method) + " &"))
        pair = next((p for p in column.pairs if {p.a, p.b} == {best.method, row.method}), None)
        assert (rf"\textbf{{{row.score.value:.3f}}}" in line) == (row is best)
        assert (rf"\underline{{{row.score.value:.3f}}}" in line) == (pair is not None and not pair.different)


def test_special_characters_are_printed_not_obeyed():
    assert escape("#$%&_{}") == r"\#\$\%\&\_\{\}"
    assert escape("\\~^<>|") == (
        r"\textbackslash{}\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}\textbar{}"
    )
    assert escape("---") == "-{}-{}-"
    assert escape("größe 中") == "größe 中"
    assert escape("a\nb\x00") == r"a\textbackslash{}nb\textbackslash{}x00"


def test_a_row_that_starts_with_a_bracket_is_no_argument_of_the_row_before():
    board = made_board(2, 1, 1)
    (column,) = board.columns
    rows = tuple(dataclasses.replace(row, method=name) for row, name in zip(column.rows, ("*a", "[b]"), strict=True))
    text = to_latex(
        dataclasses.replace(board, columns=(dataclasses.replace(column, rows=rows, pairs=()),), standings=())
    )
    assert "\n{*}a &" in text
    assert "\n{[}b{]} &" in text


def test_the_caption_says_n_intervals_tests_and_correction():
    board = made_board(3, 1, 1)
    text = to_latex(board)
    for said in (
        "2400 cases of 800 patients",
        r"95 \% t intervals",
        "Holm (1979)",
        "2000 bootstrap replicates",
        "phantom",
    ):
        assert said in text
    assert "phantom" not in to_latex(dataclasses.replace(board, data="real"))
    assert "published, not run here" in text

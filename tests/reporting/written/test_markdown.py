from __future__ import annotations

import dataclasses
import html
import itertools
import re

import pytest
from made_boards import AWKWARD, made_board
from markdown_it import MarkdownIt

from benchx.errors import printable
from benchx.reporting.markdown_text import escape
from benchx.reporting.written.markdown import to_markdown


def rendered(text: str) -> str:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)


def rendered_tables(text: str) -> list[list[list[str]]]:
    """Tables as cells of plain text, read by an independent Markdown parser."""
    return [
        [
            [
                html.unescape(re.sub("<[^>]+>", "", cell)).strip()
                for cell in re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row)
            ]
            for row in re.findall("<tr>(.*?)</tr>", table, flags=re.DOTALL)
        ]
        for table in re.findall("<table>(.*?)</table>", rendered(text), flags=re.DOTALL)
    ]


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 2, 1), (7, 4, 3), (25, 5, 2)])
def test_every_table_has_as_many_cells_in_every_row(size):
    text = to_markdown(made_board(*size))
    lines = text.splitlines()
    assert sum(line.startswith("|--") for line in lines) == len(rendered_tables(text))
    bars = [len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0 for line in lines]
    for one, next_ in itertools.pairwise(bars):
        assert one == next_ or 0 in (one, next_)


def test_names_are_shown_as_they_are_and_obeyed_nowhere():
    board = made_board(25, 3, 2)
    text = to_markdown(board)
    (first, *_) = [table for table in rendered_tables(text) if table[0] == ["method", "10 %", "100 %"]]
    names = {row[0] for row in first[1:]}
    assert {printable(name) for name in AWKWARD} <= names
    shown = rendered(text)
    assert not re.search("<(img|script|a|code|del)\\b", shown)


@pytest.mark.parametrize(
    "text",
    [
        "a|b",
        "`tick`",
        "**bold**",
        "_outer_",
        "inner_name",
        "<b>",
        "[link](x)",
        "![image](x)",
        "a\\b",
        "~~gone~~",
        "&amp;",
        "a\nb",
    ],
)
def test_escaped_text_renders_as_itself(text):
    shown = re.sub("^<p>|</p>\n$", "", rendered(f"x {escape(text)} x"))
    assert html.unescape(shown) == f"x {printable(text)} x"


def test_a_metric_keeps_its_readable_name():
    assert escape("macro_auroc") == "macro_auroc"


def test_scores_letters_and_marks_stand_in_the_table():
    board = made_board(6, 1, 2)
    text = re.sub(" +", " ", to_markdown(board))
    low, high = board.columns
    for column in board.columns:
        for row in column.rows:
            score = f"{row.score.value:.3f} [{row.score.low:.3f}, {row.score.high:.3f}] {row.letters}"
            assert score + (" †" if row.contaminated else "") in text
    assert "(2 of 3 draws) |" in text
    assert f"● detectable {high.discriminability.detectable:.3f} (n = 800)" in text
    assert text.index(f"| {high.rows[0].method} |") < text.index(f"| {high.rows[-1].method} |")
    assert "10 %, 100 %: 7 bootstrap replicates lacked a value" in text
    assert "100 %: nothing is drawn" in text
    behind = next(pair for pair in low.pairs if pair.a == low.rows[0].method and pair.different)
    difference = behind.difference
    assert f"**{-difference.value:+.3f} [{-difference.high:+.3f}, {-difference.low:+.3f}]**" in text


def test_published_rows_say_what_they_are():
    tables = rendered_tables(to_markdown(made_board(2, 1, 1)))
    labels = [row[0] for table in tables for row in table]
    assert "medklip (paper: published, not run here)" in labels
    assert "only-published (paper: published, not run here)" in labels


def test_what_is_missing_or_wrong_is_said():
    text = to_markdown(made_board(4, 2, 2))
    for said in (
        "2400 test images of 800 patients, split official",
        "Hernia (no positive in test)",
        "**3 images stand in two parts of this split.**",
        "no result (out of &lt;memory&gt; &amp; time)",
        "2 unreadable images left out",
        "no training case to learn Hernia",
        "this test set cannot separate the methods",
        "one more draw would change",
        "data-missing &lt;no root&gt;",
        "Not ranked:",
    ):
        assert said in text


def test_what_holds_for_every_method_is_said_once():
    board = made_board(3, 1, 1)
    (column,) = board.columns
    rows = tuple(dataclasses.replace(row, untrained=("Mass",)) for row in column.rows)
    text = to_markdown(dataclasses.replace(board, columns=(dataclasses.replace(column, rows=rows),)))
    assert text.count("no training case") == 1
    assert "- in some draw no training case to learn Mass" in text


def test_a_standing_says_what_was_tested_and_what_cannot_be():
    board = made_board(6, 4, 2)
    text = re.sub(" +", " ", to_markdown(board))
    place = board.standings[0].places[0]
    assert f"| 1 | {place.method} | {place.mean_rank:.2f} [{place.low:.2f}, {place.high:.2f}] |" in text
    assert f"| {place.wins} / {place.ties} / {place.losses} |" in text
    for said in ("chi2 = 9.28, p = 0.026", "F = 3.69, p = 0.020", "Nemenyi, 0.05): 1.20", "needs 9 or more"):
        assert said in text
    assert "Friedman's test: not made" in text
    assert "without contaminated &lt;methods&gt;" in text


def test_a_phantom_board_says_so_before_anything_else():
    board = made_board(2, 1, 1)
    assert to_markdown(board).splitlines()[2] == "> **Simulated images (phantom): says nothing about patients.**"
    assert "phantom" not in to_markdown(dataclasses.replace(board, data="real"))


def test_figures_are_shown_where_they_lie():
    assert "![cost--a](figures/cost--a.svg)" in to_markdown(made_board(2, 1, 1), figures=["cost--a"])
    assert "## Figures" not in to_markdown(made_board(2, 1, 1))


def test_the_rules_follow_the_board():
    board = made_board(2, 1, 1)
    assert "Holm (1979) within one column" in to_markdown(board)
    other = dataclasses.replace(board, correction="benjamini-hochberg", family="board", margin=None)
    text = to_markdown(other)
    assert "Benjamini and Hochberg (1995) over all columns" in text
    assert "one-sided tests" not in text

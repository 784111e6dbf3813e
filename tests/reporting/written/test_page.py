"""The page of a board, without a browser: well-formed, complete without scripts, escaped, small, deterministic."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from itertools import combinations

import pytest
from made_boards import AWKWARD, made_board

from benchx.errors import printable
from benchx.reporting.board import Board
from benchx.reporting.written import page
from benchx.reporting.written.page import to_html
from benchx.reporting.written.page_data import page_data
from benchx.reporting.written.page_diagram import critical_difference_diagram

VOID = {"meta", "link", "input", "br", "path"}


class Tree(HTMLParser):
    """Reads a page into (tag, attributes, text) of every element; fails on tags that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[int] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag):
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data):
        for number in self._open:
            self.elements[number][2].append(data.replace("\xa0", " "))

    def all(self, tag: str, **attributes: str) -> list[tuple[dict[str, str | None], str]]:
        return [
            (found, "".join(text))
            for name, found, text in self.elements
            if name == tag and all(found.get(key.rstrip("_")) == value for key, value in attributes.items())
        ]


@cache
def board() -> Board:
    return made_board(6, 4, 2)


@cache
def tree() -> Tree:
    return Tree(to_html(board()))


def embedded(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S).group(1))


def test_every_score_stands_in_the_table_without_any_script():
    html = to_html(board())
    table = re.search(r'<table id="score-table".*?</table>', html, re.S).group()
    lines = [Tree(line) for line in re.findall(r"<tr>(?:(?!</tr>).)*?<td.*?</tr>", table, re.S)]
    names = [line.all("th")[0][1] for line in lines]
    assert sorted(names) == sorted(method.name for method in board().methods)
    for name, line in zip(names, lines, strict=True):
        cells = [text for _, text in line.all("td")]
        assert len(cells) == len(board().columns)
        for text, column in zip(cells, board().columns, strict=True):
            row = column.row(name)
            if row is None:
                assert text == "–"
                continue
            letters = row.letters + "†" * bool(row.contaminated)
            if len(row.draws) < row.planned_draws:
                letters += f"{len(row.draws)}/{row.planned_draws}"
            interval = f"{row.score.low:.3f}–{row.score.high:.3f}"
            assert re.sub(r"\s+", " ", text) == f"{row.score.value:.3f}{letters}{interval}"


def test_the_best_and_what_is_tied_with_it_are_marked():
    marked = [attributes.get("class") or "" for attributes, _ in tree().all("td")]
    expected_best = len(board().columns)
    expected_tied = sum(
        sum(pair.a == column.rows[0].method and not pair.different for pair in column.pairs)
        for column in board().columns
    )
    assert sum("best" in classes.split() for classes in marked) == expected_best
    assert sum("tied" in classes.split() for classes in marked) == expected_tied > 0


def test_methods_stand_by_place_and_those_without_one_by_score():
    read = embedded(to_html(board()))["methods"]
    ranked = [place.method for place in board().standings[0].places]
    assert read[: len(ranked)] == ranked
    unranked = embedded(to_html(replace(made_board(6, 1, 1), standings=())))["methods"]
    assert unranked == [row.method for row in made_board(6, 1, 1).columns[0].rows]


def test_numbers_have_one_zero_and_small_p_values_a_bound():
    first = board().columns[0]
    told = replace(first.discriminability, f=-0.0, p_value=0.0002)
    standing = replace(board().standings[0], scenarios=())
    standing = replace(standing, places=tuple(replace(place, iqm=-0.0001) for place in standing.places))
    odd = replace(board(), columns=(replace(first, discriminability=told),), standings=(standing,))
    text = "".join(text for _, text in Tree(to_html(odd)).all("main"))
    assert "-0.00 " not in text.replace("\n", " ")
    assert "-0.000" not in text
    assert "0.000 [" in text
    assert "p < 0.001" in text


def test_columns_that_cannot_separate_are_grey_and_say_so_in_words():
    blind = [c for c in board().columns if c.discriminability.verdict == "cannot"]
    grey = [text for attributes, text in tree().all("th") if attributes.get("class") == "g"]
    assert len(grey) == len(blind) == 2
    for text, column in zip(grey, blind, strict=True):
        assert "cannot separate the methods" in text
        assert f"detects {column.discriminability.detectable:.3f}" in text


def test_standings_say_who_is_left_out_and_what_they_lack():
    text = "".join(text for _, text in tree().all("main"))
    for standing in board().standings:
        for place in standing.places:
            assert f"{place.mean_rank:.2f} [{place.low:.2f}, {place.high:.2f}]" in text
        for method, lacks in standing.left_out.items():
            assert f"{method} lacks {', '.join(lacks)}" in text
    assert any(standing.left_out for standing in board().standings)
    for said in (*board().empty, *board().notes, "out of <memory> & time", "cannot decide over"):
        assert said in text


def test_nothing_of_the_board_becomes_markup():
    html = to_html(made_board(24, 1, 1))
    read = Tree(html)
    assert not read.all("img")
    assert len(read.all("script")) == 2
    assert not [name for _, attributes, _ in read.elements for name in attributes if name.startswith("on")]
    headings = {text for attributes, text in read.all("th", scope="row")}
    assert {printable(name) for name in AWKWARD} <= headings
    data = re.search(r'id="data">(.*?)</script>', html, re.S).group(1)
    assert not set(data) & set("<>&\u2028\u2029")
    assert set(AWKWARD) <= set(embedded(html)["methods"])


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,<b>", " https://x.org", "doi:10.1/2", ""])
def test_only_web_addresses_become_links(address):
    methods = tuple(replace(method, paper=address) for method in board().methods)
    read = Tree(to_html(replace(board(), methods=methods)))
    assert [attributes["href"] for attributes, _ in read.all("a")] == ["#scores"]


def test_the_policy_admits_this_script_and_nothing_else():
    policy = tree().all("meta", **{"http-equiv": "Content-Security-Policy"})[0][0]["content"]
    script = next(text for attributes, text in tree().all("script") if not attributes)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:"
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "import("):
        assert forbidden not in script


def test_the_page_asks_for_nothing_outside_itself():
    for tag, attributes, _ in tree().elements:
        assert "src" not in attributes
        if tag == "link":
            assert attributes["href"] == "data:,"
    assert "url(" not in to_html(board())


def test_the_data_of_the_scripts_are_those_of_the_board():
    data = embedded(to_html(board()))
    for column, read in zip(board().columns, data["columns"], strict=True):
        names = [data["methods"][number] for number in read["methods"]]
        assert names == [row.method for row in column.rows]
        for row, cell in zip(column.rows, read["cells"], strict=True):
            value, below, longer = cell[0]
            assert value / 1e4 == pytest.approx(row.score.value, abs=0.5e-4 + 1e-12)
            assert (value - below) / 1e4 == pytest.approx(row.score.low, abs=0.5e-4 + 1e-12)
            assert (value + below + longer) / 1e4 == pytest.approx(row.score.high, abs=0.5e-4 + 1e-12)
            assert [draw[1] / 1e4 for draw in cell[5]] == pytest.approx([d.score for d in row.draws], abs=0.5001e-4)
            assert [draw[2] for draw in cell[5]] == [d.key[:12] for d in row.draws]
        found = {(pair.a, pair.b): pair for pair in column.pairs}
        differences, below, longer, p, verdicts = read["pairs"]
        for at, (a, b) in enumerate(combinations(names, 2)):
            pair = found[a, b]
            assert differences[at] / 1e4 == pytest.approx(pair.difference.value, abs=0.5001e-4)
            assert (differences[at] - below[at]) / 1e4 == pytest.approx(pair.difference.low, abs=0.5001e-4)
            assert (differences[at] + below[at] + longer[at]) / 1e4 == pytest.approx(
                pair.difference.high, abs=0.5001e-4
            )
            assert p[at] / 1e4 == pytest.approx(pair.p_adjusted, abs=0.5001e-4)
            assert verdicts[at] == str(pair.different + 2 * bool(pair.equivalent))
        assert len(differences) == len(column.pairs)


def test_pairs_are_found_whatever_order_the_board_lists_them_in():
    columns = tuple(replace(column, pairs=column.pairs[::-1]) for column in board().columns)
    assert embedded(to_html(replace(board(), columns=columns))) == embedded(to_html(board()))


def test_thirty_methods_on_twelve_datasets_stay_below_a_megabyte_and_say_what_was_left_out():
    large = made_board(30, 12, 3)
    html = to_html(large)
    assert len(html.encode()) < 1_000_000
    data = embedded(html)
    assert sum(len(column["pairs"][0]) for column in data["columns"]) == sum(len(c.pairs) for c in large.columns)
    detailed = {column["fraction"] for column in data["columns"] if column["detailed"]}
    assert detailed == {1.0}
    assert "for each dataset's largest fraction only; board.json has the rest" in html


def test_the_largest_fraction_is_that_of_each_task_and_protocol():
    small, large = made_board(2, 1, 2).columns
    tuned = replace(small, protocol="finetune")
    data = page_data(replace(board(), columns=(small, tuned, large)), "largest")
    assert [column["detailed"] for column in data["columns"]] == [False, True, True]


def test_detail_goes_only_when_it_must(monkeypatch):
    assert all(column["detailed"] for column in embedded(to_html(board()))["columns"])
    monkeypatch.setattr(page, "SIZE_LIMIT", 1)
    html = to_html(board())
    assert not any(column["detailed"] for column in embedded(html)["columns"])
    assert "subgroups and calibration of single cells to board.json" in html


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 1, 1), (2, 2, 3), (3, 5, 1)])
def test_small_boards(size):
    small = made_board(*size)
    read = Tree(to_html(small))
    assert len(read.all("table", id="score-table")) == 1


def test_a_board_without_columns_and_numbers_that_are_not_finite():
    nothing = replace(board(), columns=(), standings=(), methods=())
    Tree(to_html(nothing))
    first = board().columns[0]
    row = replace(first.rows[0], score=replace(first.rows[0].score, df=float("inf"), se=float("nan")))
    odd = replace(first, rows=(row, *first.rows[1:]), discriminability=replace(first.discriminability, f=float("inf")))
    error = embedded(to_html(replace(board(), columns=(odd,))))["columns"][0]["cells"][0][1]
    assert error[:2] == [None, None]


def test_real_boards_carry_no_phantom_banner():
    assert "Simulated images" in to_html(board())
    assert "Simulated images" not in to_html(made_board(2, 1, 1, data="real"))


def test_the_same_board_gives_the_same_page():
    assert to_html(made_board(5, 2, 2, seed=3)) == to_html(made_board(5, 2, 2, seed=3))
    assert to_html(made_board(5, 2, 2, seed=3)) != to_html(made_board(5, 2, 2, seed=4))


def test_published_rows_are_there_but_hidden_and_marked():
    rows = tree().all("tr", class_="published")
    assert len(rows) == 3
    assert all("hidden" in attributes and "not run here" in text for attributes, text in rows)
    compared = next(text for attributes, text in tree().all("section", **{"aria-labelledby": "published-title"}))
    ours = board().columns[0].row("medklip").score
    assert f"{ours.value:.3f} [{ours.low:.3f}, {ours.high:.3f}]" in compared
    paper = board().columns[0].published[0]
    assert f"{paper.value:.3f} ± {paper.std:.3f}" in compared
    assert "only-published" not in compared


def test_the_critical_difference_diagram_is_drawn_to_scale():
    standing = board().standings[0]
    diagram = critical_difference_diagram(standing)
    unit = (diagram.right - diagram.left) / (len(standing.places) - 1)
    assert diagram.critical == pytest.approx(unit * standing.critical_difference, abs=0.05)
    for label, place in zip(diagram.labels, standing.places, strict=True):
        assert (label.x - diagram.left) / unit + 1 == pytest.approx(place.mean_rank, abs=0.01)
    assert len(diagram.bars) == len(standing.cliques)
    assert max(label.y for label in diagram.labels) < diagram.height
    assert critical_difference_diagram(board().standings[1]) is None

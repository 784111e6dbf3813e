from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
from io import BytesIO

import matplotlib
import matplotlib.pyplot
import numpy as np
import pytest
from made_boards import made_board
from matplotlib.image import imread
from scipy.optimize import minimize

from benchx.reporting.grouping import difference
from benchx.reporting.written.figures import KINDS, draw_figures, save
from benchx.reporting.written.figures.cost import _ticks
from benchx.reporting.written.figures.style import figure_name, label, spread


def texts(figure) -> list[str]:
    return [text.get_text() for axis in figure.axes for text in [*axis.texts, *axis.get_yticklabels()]]


def test_a_board_has_every_kind_of_figure():
    figures = draw_figures(made_board(5, 4, 3))
    assert {name.split("--")[0] for name in figures} == set(KINDS)
    assert all(re.fullmatch("[a-z-]+(--[a-z0-9-]+)+", name) for name in figures)
    assert sum(name.startswith("forest--") for name in figures) == 6


def test_the_same_board_gives_the_same_bytes_whatever_the_user_has_set():
    board = made_board(3, 1, 2)
    first = {name: save(figure) for name, figure in draw_figures(board).items()}
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "none", "svg.hashsalt": "other", "axes.grid": True}):
        second = {name: save(figure) for name, figure in draw_figures(board).items()}
    assert first == second
    for svg, png in first.values():
        root = ET.fromstring(svg)
        assert not list(root.iter("{http://www.w3.org/2000/svg}text"))
        assert b"<image" not in svg
        pixels = imread(BytesIO(png))
        assert pixels.ndim == 3
        assert pixels[..., :3].std() > 0.02


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 1, 1), (2, 2, 2)])
def test_small_boards_draw_what_there_is(size):
    figures = draw_figures(made_board(*size))
    assert "tie-groups--classification--frozen" in figures
    assert ("label-efficiency--classification--frozen" in figures) == (size[2] > 1)
    assert ("forest--classification--frozen--100" in figures) == (size[0] > 1)
    for figure in figures.values():
        svg, _ = save(figure)
        assert svg.startswith(b"<?xml")


def test_names_are_drawn_as_they_are_also_where_they_look_like_mathematics():
    board = made_board(7, 1, 1)
    (column,) = board.columns
    rows = (dataclasses.replace(column.rows[0], method="$x_1$ \\frac{"), *column.rows[1:])
    board = dataclasses.replace(board, columns=(dataclasses.replace(column, rows=rows, pairs=()),), standings=())
    figure = KINDS["tie-groups"](board)["tie-groups--classification--frozen"]
    assert "$x_1$ \\frac{" in texts(figure)
    assert not any(tick.label1.get_parse_math() for tick in figure.axes[0].yaxis.get_major_ticks())
    assert save(figure)[1].startswith(b"\x89PNG")


def test_nothing_is_cut_off():
    for figure in draw_figures(made_board(7, 2, 2)).values():
        ink = (imread(BytesIO(save(figure)[1]))[..., :3] < 0.99).any(axis=2)
        assert not ink[[0, 1, -2, -1]].any()
        assert not ink[:, [0, 1, -2, -1]].any()


def test_nothing_stays_behind():
    draw_figures(made_board(2, 1, 1))
    assert matplotlib.pyplot.get_fignums() == []


def test_the_forest_plot_shows_the_board_s_differences():
    board = made_board(6, 1, 1)
    (column,) = board.columns
    (figure,) = KINDS["forest"](board).values()
    shown = sorted(float(x) for line in figure.axes[0].lines if line.get_marker() in "os" for x in line.get_xdata())
    expected = sorted(
        one.value
        for row in column.rows
        if row.method != board.baseline and (one := difference(column, row.method, board.baseline)) is not None
    )
    assert shown == expected


def test_a_baseline_without_results_has_no_forest_plot():
    assert KINDS["forest"](dataclasses.replace(made_board(3, 1, 1), baseline="nobody")) == {}


def test_columns_that_cannot_separate_are_grey():
    board = made_board(4, 3, 1)
    (figure,) = KINDS["tie-groups"](board).values()
    grey = [axis.get_facecolor()[:3] != (1.0, 1.0, 1.0) for axis in figure.axes]
    assert grey == [column.discriminability.verdict == "cannot" for column in board.columns]


def test_the_critical_difference_diagram_has_every_rank_and_clique():
    board = made_board(6, 3, 1)
    (standing,) = board.standings
    (figure,) = KINDS["critical-difference"](board).values()
    said = " ".join(texts(figure))
    for place in standing.places:
        assert f"{place.mean_rank:.2f}" in said
    bars = [line for line in figure.axes[0].lines if line.get_linewidth() == 3]
    assert len(bars) == len(standing.cliques)
    none = dataclasses.replace(standing, critical_difference=None)
    assert KINDS["critical-difference"](dataclasses.replace(board, standings=(none,))) == {}


def test_the_rank_map_has_rank_and_interval_of_every_cell():
    board = made_board(4, 2, 2)
    (figure,) = KINDS["rank-heatmap"](board).values()
    said = texts(figure)
    for column in board.columns:
        for row in column.rows:
            assert f"{row.rank.low}–{row.rank.high}" in said
    assert said.count("–") == 1


def test_the_robustness_figure_has_every_scenario():
    board = made_board(5, 3, 1)
    (standing,) = board.standings
    (figure,) = KINDS["robustness"](board).values()
    marks = [x for line in figure.axes[0].lines if not str(line.get_label()).startswith("_") for x in line.get_xdata()]
    assert sorted(marks) == sorted(rank for scenario in standing.scenarios for rank in scenario.ranks.values())


def test_with_many_methods_the_first_have_colours_and_the_rest_is_counted():
    figure = KINDS["label-efficiency"](made_board(12, 1, 2))["label-efficiency--classification--frozen"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(names) == 8
    assert names[-1] == "5 other methods"


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_spread_by_least_squares(seed):
    wanted = np.random.default_rng(seed).uniform(0, 1, 5)
    moved = spread(wanted, 0.2)
    order = np.argsort(wanted)
    assert (np.diff(moved[order]) >= 0.2 - 1e-12).all()
    best = minimize(
        lambda x: ((x - wanted[order]) ** 2).sum(),
        np.arange(5) * 0.3,
        method="SLSQP",
        constraints={"type": "ineq", "fun": lambda x: np.diff(x) - 0.2},
        options={"ftol": 1e-14},
    )
    assert moved[order] == pytest.approx(best.x, abs=1e-5)


def test_labels_far_apart_stay_where_they_are():
    assert list(spread([3.0, 1.0, 2.0], 0.5)) == [3.0, 1.0, 2.0]


@pytest.mark.parametrize(("low", "high"), [(0.005, 1e7), (70.0, 80.0), (1.0, 2.0), (1e8, 1.1e8), (0.001, 0.002)])
def test_time_axes_have_one_to_seven_ticks_within_range(low, high):
    ticks = _ticks(low, high)
    assert 1 <= len(ticks) <= 7
    assert all(low <= value <= high for value, _ in ticks)


def test_file_names_differ_where_their_parts_do():
    names = {
        figure_name("cost", *parts)
        for parts in (("a", "b"), ("A", "b"), ("a b",), ("a-b",), ("a/b",), ("<>", "b"), ("", "b"))
    }
    assert len(names) == 7
    assert all(re.fullmatch("cost(--[a-z0-9-]+)+", name) for name in names)


def test_long_names_keep_both_ends():
    assert label("x" * 30) == "x" * 30
    assert label("method-with-a-very-long-name-resnet50-v2") == "method-with-a-very-l…snet50-v2"
    assert label("two\nlines") == "two\\nlines"

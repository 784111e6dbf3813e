from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
import yaml

from benchx.digests import digest_json
from benchx.errors import UsageError
from benchx.methods.cards.reading import card_names, read_card
from benchx.methods.cards.schema import Card
from benchx.methods.encoders import build_encoder
from benchx.resources import resource_dir

NAMES = {
    "gloria",
    "imagenet-efficientnet-lite0",
    "imagenet-resnet50",
    "imagenet-vit-b16",
    "medklip",
    "mrm",
    "random-efficientnet-lite0",
    "random-resnet50",
}


def raw_card(name: str) -> dict:
    return yaml.safe_load((resource_dir("baselines") / f"{name}.yaml").read_text())


def test_the_cards_that_ship():
    assert set(card_names()) >= NAMES
    for name in card_names():
        card = read_card(name)
        assert card.name == name
        with torch.device("meta"):
            encoder = build_encoder(card)
        assert encoder.image_size == (card.input.size if card.input else 0)


@pytest.mark.parametrize("name", ["medklip", "gloria", "mrm", "imagenet-resnet50", "imagenet-vit-b16"])
def test_pretrained_methods_say_what_they_saw(name):
    assert all(seen.source for seen in read_card(name).exposure)
    assert read_card(name).exposure


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(UsageError, match="did you mean 'medklip'"):
        read_card("medklipp")


def test_a_card_file_by_path(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({**raw_card("medklip"), "name": "mine"}))
    assert read_card(str(file)).name == "mine"
    with pytest.raises(UsageError, match="no card file"):
        read_card(str(tmp_path / "absent.yaml"))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"poolin": "mean"}, "poolin"),
        ({"pooling": "max"}, "pooling"),
        ({"licence": None}, "licence"),
        ({"weights": {"seed": 0, "files": ["a.pth"], "page": "x"}}, "weights"),
        ({"weights": {}}, "weights"),
        ({"weights": {"files": ["a.pth"]}}, "weights"),
        ({"layout": {"rename": [["(", ""]]}}, "layout.rename"),
        ({"layout": {"prefx": "a"}}, "layout.prefx"),
        ({"input": {"size": 224, "resize": "squash", "mean": [0.5], "std": [0.5]}}, "input.resize"),
        ({"name": "Med KLIP"}, "name"),
    ],
)
def test_a_card_that_does_not_fit_names_file_and_field(tmp_path, change, where):
    file = tmp_path / "card.yaml"
    file.write_text(yaml.safe_dump({**raw_card("medklip"), **change}))
    with pytest.raises(UsageError) as caught:
        read_card(str(file))
    assert "card.yaml" in caught.value.what
    assert where in caught.value.what


@pytest.mark.parametrize("text", ["a: [", "", "- 1", "just words"])
def test_a_file_that_is_no_card(tmp_path, text):
    file = tmp_path / "card.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"card\.yaml"):
        read_card(str(file))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"encoder": {"name": "resnet51"}}, "resnet50"),
        ({"encoder": {"name": "resnet50", "arguments": {"stages": 5}}}, "stages"),
        ({"encoder": {"name": "resnet50", "arguments": {"depth": 3}}}, "depth"),
        ({"encoder": {"name": "resnet50", "arguments": {"pooling": "cls"}}}, "pooling"),
        ({"pooling": "cls"}, "pooling"),
    ],
)
def test_an_encoder_or_argument_that_does_not_exist(change, word):
    card = Card.model_validate({**raw_card("medklip"), **change})
    with pytest.raises(UsageError, match=word):
        build_encoder(card)


def test_numerics_hold_what_changes_numbers_and_nothing_else():
    card = read_card("medklip")
    numbers = card.numerics()
    assert json.loads(json.dumps(numbers)) == numbers
    reworded = card.model_copy(update={"title": "x", "notes": "y", "exposure": ()})
    assert digest_json(reworded.numerics()) == digest_json(numbers)
    for change in (
        {"pooling": "cls"},
        {"input": card.input.scaled_to(128)},
        {"layout": card.layout.model_copy(update={"prefix": "x."})},
        {"encoder": card.encoder.model_copy(update={"name": "other"})},
    ):
        assert digest_json(card.model_copy(update=change).numerics()) != digest_json(numbers)
    assert read_card("random-resnet50").numerics()["seed"] == 0


def test_importing_methods_and_reading_cards_is_cheap():
    code = (
        "import sys, benchx.methods, benchx.methods.cards.reading; print(sorted({'torch', 'timm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["medklip", "xrv-resnet50", "mrm", "timm:test_vit"])
def test_the_random_twin_of_any_method(name):
    card, twin = read_card(name), read_card(f"random:{name}")
    assert (twin.encoder, twin.input, twin.pooling) == (card.encoder, card.input, card.pooling)
    assert (twin.name, twin.weights.seed, twin.exposure, twin.text) == (f"random:{name}", 0, (), None)


def test_a_text_tower_has_no_random_twin():
    with pytest.raises(UsageError, match="encodes no images"):
        read_card("random:cxr-bert")

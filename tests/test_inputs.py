"""Whose preprocessing a suite uses: the card's or its own."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from benchx.errors import UsageError
from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Card
from benchx.protocols import InputRule
from benchx.workspace import input_spec

OWN: dict[str, Any] = {
    "preprocessing": "suite",
    "size": 224,
    "resize": "center_crop",
    "resize_to": 256,
    "interpolation": "bicubic",
    "mean": 0.4978,
    "std": 0.2449,
}


def rule(settings: dict[str, Any]) -> InputRule:
    return TypeAdapter(InputRule).validate_python(settings)


@pytest.fixture
def card() -> Card:
    return read_card("imagenet-resnet50")


def test_the_cards_own_input(card: Card) -> None:
    assert input_spec(card, rule({"preprocessing": "card"}), 512) == card.images
    assert input_spec(card, rule({"preprocessing": "card", "size": 128}), 512) == card.images.scaled_to(128)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_suites_input_keeps_the_cards_channels_only(card: Card, channels: int) -> None:
    images = {"size": 480, "resize": "stretch", "mean": (0.1,), "std": (0.2,), "channels": channels}
    given = Card.model_validate(card.model_dump() | {"input": images | {"rescale": "minmax"}})
    spec = input_spec(given, rule(OWN), 512)
    assert spec.model_dump() == {
        "size": 224,
        "resize": "center_crop",
        "resize_to": 256,
        "mean": (0.4978,),
        "std": (0.2449,),
        "channels": channels,
        "interpolation": "bicubic",
        "rescale": None,
    }


def test_a_suites_input_must_fit_into_what_it_keeps(card: Card) -> None:
    with pytest.raises(UsageError, match="resizes to 256 px, but the suite keeps images at 224 px only"):
        input_spec(card, rule(OWN), 224)


@pytest.mark.parametrize("missing", ["size", "resize", "interpolation", "mean", "std"])
def test_a_suites_input_says_everything(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        rule({name: value for name, value in OWN.items() if name != missing})


@pytest.mark.parametrize(
    "wrong", [{"resize_to": 100}, {"resize": "stretch"}, {"std": 0.0}, {"preprocessing": "card"}, {"channels": 1}]
)
def test_inputs_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rule(OWN | wrong)

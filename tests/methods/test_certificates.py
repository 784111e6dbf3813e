"""Parity certificates: with the same keyed weights, the official code gave these features."""

from __future__ import annotations

import dataclasses
import json

import pytest

from benchx.errors import CheckpointError, UsageError
from benchx.methods import certificates, certifying
from benchx.methods.cards.reading import card_names, read_card
from benchx.methods.certificates import Certificate, certificate_of
from benchx.methods.certifying import TOLERANCE, certifiable, certify, read_facts

QUICK = {"imagenet-resnet50"}


def test_every_method_keeps_at_most_64_figures():
    for name in certifiable():
        assert sum(1 + len(kept["row0"]) for kept in read_facts(name)["expected"].values()) <= 64, name
        assert name in card_names()


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in certifiable()]
)
def test_the_stored_certificate_holds(name):
    stored, found = certificate_of(read_card(name)), certify(name)
    assert found.largest_difference < TOLERANCE
    assert stored is not None, f"the card has changed; run: benchx methods certify {name}"
    assert dataclasses.replace(found, largest_difference=0) == dataclasses.replace(stored, largest_difference=0)


def test_a_figure_that_differs_is_no_certificate(monkeypatch):
    facts = read_facts("imagenet-resnet50")
    facts["expected"]["pooled"]["row0"][3] += 1e-3
    monkeypatch.setattr(certifying, "read_facts", lambda name: facts)
    with pytest.raises(CheckpointError, match="pooled by") as caught:
        certify("imagenet-resnet50")
    assert "map32_mean" in caught.value.todo


@pytest.mark.slow
def test_positions_resized_by_another_rule_are_no_certificate(monkeypatch):
    card = read_card("m3ae")
    arguments = {**card.encoder.arguments, "positions": "aligned"}
    other = card.model_copy(update={"encoder": card.encoder.model_copy(update={"arguments": arguments})})
    monkeypatch.setattr(certifying, "read_card", lambda name: other)
    with pytest.raises(CheckpointError, match="resized_pooled by") as caught:
        certify("m3ae")
    assert "pooled, text_pooled, fused, matching" in caught.value.todo


def test_a_method_without_figures():
    with pytest.raises(UsageError, match="cannot be certified"):
        certify("random-resnet50")


def test_a_certificate_is_of_one_card(tmp_path, monkeypatch):
    card = read_card("gloria")
    kept = Certificate(
        "gloria", "url", "c0ffee", "the official code", "1" * 64, certificates.card_digest(card), 9, 1e-7
    )
    monkeypatch.setattr(certificates, "stored_at", lambda name: tmp_path / f"{name}.json")
    assert certificate_of(card) is None
    path = certificates.store_certificate(kept)
    assert json.loads(path.read_text())["commit"] == "c0ffee"
    assert certificate_of(card) == kept
    assert certificate_of(card.model_copy(update={"pooling": "cls"})) is None
    assert certificate_of(card.model_copy(update={"notes": "other words"})) == kept

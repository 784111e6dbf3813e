"""Texts as GLoRIA and MGCA clean them."""

from __future__ import annotations

import pytest

from benchx.methods.text.cleaning import words_only


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("1. No pneumothorax. 2. Small left-sided effusion.", "no pneumothorax small left sided effusion"),
        ("Heart size is normal.\nStable.", "heart size is normal"),
        ("Opacity measures 3.5 cm (new)", "opacity measures 5 cm new"),  # "3." looks like an item's number
        ("Cardiomegaly", "cardiomegaly"),
        ("Effusión pleural", "effusin pleural"),
        ("", ""),
        (" . 1. ", ""),
    ],
)
def test_words_of_sentences(text, cleaned):
    assert words_only(text) == cleaned

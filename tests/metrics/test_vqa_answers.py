"""Answers in one spelling: the rules of the VQA evaluation one by one, and the published count on real answers."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchx.metrics.vqa import OUTSIDE, most_frequent, most_frequent_by, normalise, numbered, vocabulary


@pytest.mark.parametrize(
    ("answer", "spelling"),
    [
        ("Yes", "yes"),
        ("  The right  lung ", "right lung"),
        ("A chest x-ray", "chest x ray"),
        ("x - ray", "x ray"),
        ("left, upper lobe", "left upper lobe"),
        ("left,upper", "left upper"),
        ("1,000 ml/min", "1000 mlmin"),
        ("mass/nodule", "mass nodule"),
        ("mass / nodule", "mass nodule"),
        ("No.", "no"),
        ("5.6 cm.", "5.6 cm"),
        ("s/p surgery.(old)", "s p surgery old"),
        ("Two", "2"),
        ("None", "0"),
        ("ten ribs", "10 ribs"),
        ("eleven ribs", "eleven ribs"),
        (3, "3"),
        (2.5, "2.5"),
        ("patient's left", "patient's left"),
        ("dont know", "don't know"),
        ("well defined", "well defined"),
        ("the", ""),
        ("-", ""),
        ("", ""),
        (None, "0"),
    ],
)
def test_a_spelling(answer, spelling):
    assert normalise(answer) == spelling


def _reference(answer: str) -> str:
    """The same rules written the other way round: mark by mark decided, then character by character."""
    text = answer.lower()
    thousands = any(a.isdigit() and b == "," and c.isdigit() for a, b, c in zip(text, text[1:], text[2:], strict=False))
    goes = {mark for mark in ';/[]"{}()=+\\_-><@`,?!' if thousands or re.search(rf" \{mark}|\{mark} ", text)}
    kept = []
    for place, one in enumerate(text):
        if one == ".":
            # The next character that is left decides, since marks go before periods.
            rest = next((other for other in text[place + 1 :] if other not in goes), "")
            kept.append("." if rest.isdigit() else "")
        elif one in ';/[]"{}()=+\\_-><@`,?!':
            kept.append("" if one in goes else " ")
        else:
            kept.append(one)
    digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    words = [
        "0" if word == "none" else str(digits.index(word)) if word in digits else word for word in "".join(kept).split()
    ]
    return " ".join(word for word in words if word not in ("a", "an", "the"))


@given(st.text(alphabet="abe t1 2.,-/?()the nonetwo", max_size=24))
def test_any_text_as_the_rules_say(text):
    assert normalise(text) == _reference(text)


def test_vqa_rad_has_498_answers_as_m3ae_counts_them(shared):
    root = shared / "data" / "vqa-rad"
    if not root.is_dir():
        pytest.skip("VQA-RAD is not in ../shared")
    train, test = (json.loads((root / f"{part}set.json").read_text()) for part in ("train", "test"))
    answers = [normalise(entry["answer"]) for entry in train + test]
    assert len(vocabulary(answers)) == 498
    assert len(vocabulary(answers[: len(train)])) == 461
    assert "" not in answers


def test_a_vocabulary_is_in_the_order_of_appearance():
    known = vocabulary(["no", "yes", "no", "lung"])
    assert known == ("no", "yes", "lung")
    np.testing.assert_array_equal(numbered(["lung", "heart", "no"], known), [2, OUTSIDE, 0])
    assert vocabulary([]) == ()
    assert numbered([], known).shape == (0,)


def test_the_most_frequent_answer_and_of_equals_the_first():
    assert most_frequent(["b", "a", "a", "b", "c"]) == "b"
    assert most_frequent([]) is None
    assert most_frequent_by(["x", "x", "y", "x"], ["a", "b", "c", "b"]) == {"x": "b", "y": "c"}

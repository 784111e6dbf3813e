"""Cleaning and words, against R2Gen's pattern written as it reads, and against the published count of IU X-Ray."""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchx.decoders.reports.cleaning import clean
from benchx.decoders.reports.vocabulary import Vocabulary
from benchx.errors import NotApplicable

ANNOTATION = Path(__file__).resolve().parents[3] / "shared" / "data" / "iu-xray" / "annotation.json"


def by_pattern(report: str, stops: int) -> list[str]:
    """Clean by one pass over characters and R2Gen's character class, which takes `:-[` for a range."""
    for _ in range(stops):
        report = report.replace("..", ".")
    report = report.replace("1. ", "")
    for before in (". ", " "):
        for number in "2345":
            report = report.replace(f"{before}{number}. ", ". ")
    sentences = [re.sub(r"""[\\"/'.,?;*!%^&_+():-\[\]{}]""", "", one) for one in report.strip().lower().split(". ")]
    return " . ".join([*sentences, ""]).split()


@pytest.mark.parametrize(
    ("report", "cleaned"),
    [
        ("The heart is normal in size. No effusion.", "the heart is normal in size . no effusion ."),
        ("1. No effusion. 2. Normal heart. 3. Clear lungs.", "no effusion . normal heart . clear lungs ."),
        ("No change... Stable", "no change . stable ."),
        ('COPD, (chronic); no x-ray of 10/12 @ "rest"', "copd chronic no x-ray of 1012 rest ."),
        ("At T11. Wedge", "at t1wedge ."),
        ("Clear. . Normal", "clear . . normal ."),
        ("", "."),
        ("XXXX-year-old.\nUnchanged", "xxxx-year-old unchanged ."),
    ],
)
def test_what_cleaning_makes_of_a_report(report, cleaned):
    assert clean(report, "iu-xray") == cleaned


def test_mimic_reports_lose_line_ends_and_blanks():
    assert clean("FINDINGS:\n  ___ year old........  Clear\nlungs.", "mimic-cxr") == "findings year old . clear lungs ."


@given(
    st.text(alphabet=string.printable.replace("\x1c", ""), max_size=200)
    | st.text(alphabet="12345. \n_ab:[-", max_size=60)
)
def test_cleaning_is_r2gens_pattern(report):
    assert clean(report, "iu-xray").split() == by_pattern(report, 3)
    assert clean(report, "mimic-cxr").split() == by_pattern(re.sub(" {2,64}", " ", report.replace("\n", " ")), 8)


def test_words_are_those_said_often_enough_in_order_and_unknown():
    vocabulary = Vocabulary.build(["b a .", "b a .", "b . 3 c-d", "c"], least=2)
    assert vocabulary.words == (".", "<unk>", "a", "b")
    assert vocabulary.encode("b c a .") == [0, 4, 2, 3, 1, 0]
    assert vocabulary.decode([4, 2, 3, 1, 0, 3]) == "b <unk> a ."
    assert Vocabulary.build([""]).words == ("<unk>",)


@pytest.mark.parametrize("words", [0, 1, 57, 58, 59, 60, 61, 5000])
def test_encoding_is_cut_to_60(words):
    vocabulary = Vocabulary(("<unk>", "a"))
    assert vocabulary.encode("a " * words) == ([0] + [2] * words + [0])[:60]
    assert vocabulary.readable("a " * words).split() == ["a"] * min(words, 59)


def test_batches_are_padded_at_the_end():
    vocabulary = Vocabulary(("<unk>", "a"))
    assert vocabulary.encode_batch(["a a", ""]).tolist() == [[0, 2, 2, 0], [0, 0, 0, 0]]
    assert vocabulary.encode_batch(["a a"]).dtype == torch.int64


@pytest.mark.parametrize("number", [-1, 3])
def test_a_number_of_no_word_is_refused(number):
    with pytest.raises(ValueError, match="no word"):
        Vocabulary(("<unk>", "a")).decode([1, number])


def test_a_vocabulary_needs_a_report():
    with pytest.raises(NotApplicable, match="no report"):
        Vocabulary.build([])


@pytest.mark.skipif(not ANNOTATION.exists(), reason="needs the IU X-Ray annotation")
def test_the_vocabulary_of_iu_xray_has_the_published_size():
    reports = [entry["report"] for entry in json.loads(ANNOTATION.read_text())["train"]]
    vocabulary = Vocabulary.build(clean(report, "iu-xray") for report in reports)
    assert len(reports) == 2069
    assert len(vocabulary) == 760  # vocab_size in BenchX's configurations of IU X-Ray: 759 words and <unk>
    counts = Counter(word for report in reports for word in by_pattern(report, 3))
    assert set(vocabulary.words) == {word for word, count in counts.items() if count >= 3} | {"<unk>"}

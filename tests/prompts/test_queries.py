"""MedKLIP's 75 queries, and the file of sentences that the user brings."""

from __future__ import annotations

import json

import pytest

from benchx.errors import CheckpointError, WeightsMissing
from benchx.prompts.queries import FILE, NAMES, query_of, read_descriptions


def as_published() -> dict[str, str]:
    """An object with the keys of the published file, one of which is misspelt."""
    return {name.replace("pneumonia", "eumonia"): f"On {name}." for name in NAMES}


def test_there_are_75_in_the_order_of_the_official_script():
    assert len(NAMES) == len(set(NAMES)) == 75
    places = {"normal": 0, "effusion": 8, "pneumonia": 20, "mass": 54, "tail_abnorm_obs": 73, "excluded_obs": 74}
    assert {name: NAMES.index(name) for name in places} == places


def test_sentences_are_read_in_order(tmp_path):
    path = tmp_path / FILE
    path.write_text(json.dumps(as_published()))
    assert read_descriptions(path) == tuple(f"On {name}." for name in NAMES)


def test_a_missing_file_is_named_with_its_source(tmp_path):
    with pytest.raises(WeightsMissing, match="MedKLIP/data_file") as missing:
        read_descriptions(tmp_path / FILE)
    assert "without a licence" in missing.value.why


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        json.dumps(list(NAMES)),
        json.dumps(dict(list(as_published().items())[:-1])),
        json.dumps(dict(sorted(as_published().items()))),
        json.dumps(as_published() | {"mass": " "}),
        json.dumps(as_published() | {"mass": 3}),
        json.dumps(as_published()).encode("utf-16").decode("latin-1"),
    ],
)
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / FILE
    path.write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointError, match="observation explanation") as refused:
        read_descriptions(path)
    assert refused.value.todo == "use the file as published"


def test_a_class_without_an_observation_has_no_query():
    assert query_of("Tuberculosis", {}) is None
    assert query_of("Tuberculosis", {"Tuberculosis": "disease"}) == "disease"
    assert query_of("Tuberculosis", {"tuberculosis": "disease"}) is None

"""What the methods that query an image ask: 75 observations, the user's sentences on them, names, descriptions."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from benchx.errors import CheckpointError, UsageError, WeightsMissing
from benchx.prompts.queries import ANATOMY_SENTENCES, FILE, NAMES, kad_name, query_of, read_descriptions
from benchx.prompts.schema import Descriptions
from benchx.prompts.texts import Prompts, prompts_for

NIH = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Effusion": "pleural effusion",
    "Infiltration": "infiltration",
    "Mass": "lung mass",
    "Nodule": "lung nodule",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
    "Consolidation": "consolidation",
    "Edema": "edema",
    "Emphysema": "emphysema",
    "Fibrosis": "fibrosis",
    "Pleural_Thickening": "pleural thicken",
    "Hernia": "hernia",
}
"""benchx's class of ChestX-ray14 and what KAD's script for it asks (`text_list`)."""


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


def test_kad_is_asked_the_names_of_its_official_scripts():
    assert {name: kad_name(name) for name in NIH} == NIH
    assert kad_name("Pleural Effusion") == "pleural effusion"
    assert kad_name("Enlarged_Cardiomediastinum") == "enlarged cardiomediastinum"


def test_medslips_anatomy_is_asked_with_51_sentences():
    assert len(set(ANATOMY_SENTENCES)) == len(ANATOMY_SENTENCES) == 51
    assert ANATOMY_SENTENCES[0] == "It is located at trachea. "
    assert ANATOMY_SENTENCES[13] == "It is located at lower_left_lobe. "
    assert ANATOMY_SENTENCES[-1] == "It is located at other. "


def test_descriptions_serve_as_prompts_of_presence_for_any_method():
    described = Descriptions(kind="descriptions", classes={"Mass": "A lump.", "Edema": "Water.", "Normal": "Nothing."})
    assert prompts_for(described, ("Edema", "Mass")) == {"Edema": Prompts(("Water.",)), "Mass": Prompts(("A lump.",))}
    with pytest.raises(UsageError, match="the prompt set lacks Hernia, Nodule"):
        prompts_for(described, ("Hernia", "Mass", "Nodule"))


@pytest.mark.parametrize("classes", [{}, {"Mass": " "}, {"Mass": ["a", "b"]}, {"Mass": None}])
def test_what_describes_nothing_is_refused(classes):
    with pytest.raises(ValidationError):
        Descriptions(kind="descriptions", classes=classes)

"""Prompt sets: from what a suite file says to the texts of each class, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from benchx.errors import UsageError
from benchx.prompts.schema import PromptSet
from benchx.prompts.texts import Prompts, prompts_for

read_prompts = TypeAdapter(PromptSet).validate_python

# benchx's class of ChestX-ray14 and what MedKLIP's test script calls it (`chexray14_cls`)
NIH = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Consolidation": "consolidation",
    "Edema": "edema",
    "Effusion": "effusion",
    "Emphysema": "emphysema",
    "Fibrosis": "tail_abnorm_obs",
    "Hernia": "hernia",
    "Infiltration": "infiltrate",
    "Mass": "mass",
    "Nodule": "nodule",
    "Pleural_Thickening": "thicken",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
}


def test_templates_are_filled_with_the_name_of_the_class():
    chexzero = read_prompts({"kind": "pairs", "templates": {"positive": ["{}"], "negative": ["no {}"]}})
    found = prompts_for(chexzero, ("Pleural_Thickening", "Edema"))
    assert list(found) == ["Pleural_Thickening", "Edema"]
    assert found["Pleural_Thickening"] == Prompts(("Pleural Thickening",), ("no Pleural Thickening",))
    assert found["Edema"] == Prompts(("Edema",), ("no Edema",))


def test_a_class_that_is_written_out_goes_before_the_templates():
    pairs = read_prompts(
        {
            "kind": "pairs",
            "templates": {"positive": ["{}", "there is {}"], "negative": ["no {}"]},
            "classes": {"COVID-19": {"positive": ["ground glass opacities {}"], "negative": ["clear lungs"]}},
        }
    )
    found = prompts_for(pairs, ("COVID-19", "Pneumonia"))
    assert found["COVID-19"] == Prompts(("ground glass opacities {}",), ("clear lungs",))
    assert found["Pneumonia"] == Prompts(("Pneumonia", "there is Pneumonia"), ("no Pneumonia",))


def test_class_prompts_have_no_negatives():
    texts = {"kind": "class-prompts", "classes": {"Edema": ["pulmonary edema", "mild edema"]}}
    assert prompts_for(read_prompts(texts), ("Edema",)) == {"Edema": Prompts(("pulmonary edema", "mild edema"))}
    filled = read_prompts(texts | {"templates": ["{} is observed"]})
    assert prompts_for(filled, ("Mass",))["Mass"] == Prompts(("Mass is observed",))


@pytest.mark.parametrize(
    ("prompts", "lacking"),
    [
        ({"kind": "pairs", "classes": {"Mass": {"positive": ["mass"], "negative": ["no mass"]}}}, "Edema, Hernia"),
        ({"kind": "class-prompts", "classes": {"Mass": ["mass"]}}, "Edema, Hernia"),
        ({"kind": "gloria-chexpert", "per_class": 5, "seed": 6}, "Mass, Hernia"),
    ],
)
def test_a_class_that_the_set_lacks_is_named(prompts, lacking):
    with pytest.raises(UsageError) as refused:
        prompts_for(read_prompts(prompts), ("Mass", "Edema", "Hernia"))
    assert refused.value.what == f"the prompt set lacks {lacking}"
    assert prompts["kind"] in refused.value.why


SEVERAL = {
    "kind": "by-modality",
    "modality": "chest-xray",
    "templates": {"chest-xray": ["a chest x-ray of {}", "{} is present"], "ct": ["a ct scan showing {}"]},
}


def test_templates_of_one_modality_among_several():
    assert prompts_for(read_prompts(SEVERAL), ("Pleural_Thickening",)) == {
        "Pleural_Thickening": Prompts(("a chest x-ray of Pleural Thickening", "Pleural Thickening is present"))
    }
    ct = read_prompts(SEVERAL | {"modality": "ct"})
    assert prompts_for(ct, ("Edema",)) == {"Edema": Prompts(("a ct scan showing Edema",))}


def test_only_the_first_prompts_of_each_class_are_used():
    written = {"No_Finding": ["no abnormality {}", "a normal image"]}
    found = prompts_for(read_prompts(SEVERAL | {"first": 1, "classes": written}), ("No_Finding", "Mass"))
    assert found == {"No_Finding": Prompts(("no abnormality {}",)), "Mass": Prompts(("a chest x-ray of Mass",))}
    assert len(prompts_for(read_prompts(SEVERAL | {"first": 7}), ("Mass",))["Mass"].positive) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"modality": "mri"}, "the modality 'mri' has no templates; those that have: chest-xray, ct"),
        ({"templates": {}}, "the modality 'chest-xray' has no templates; those that have: none"),
        ({"templates": {"chest-xray": ["an x-ray"]}}, "the template 'an x-ray' has no {} where the name of a class"),
        ({"templates": {"chest-xray": ["{}"], "ct": []}}, "templates.ct"),
        ({"classes": {"Mass": []}}, "classes.Mass"),
        ({"first": 0}, "first"),
    ],
)
def test_a_set_by_modality_that_is_none_says_why(change, said):
    with pytest.raises(ValidationError) as refused:
        read_prompts(SEVERAL | change)
    assert said in str(refused.value)


def test_a_template_without_a_place_is_named():
    with pytest.raises(ValidationError, match="the template 'nothing' has no {} where the name of a class goes"):
        read_prompts({"kind": "class-prompts", "templates": ["{}", "nothing"]})


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "sentences"},
        {"kind": "pairs"},
        {"kind": "class-prompts"},
        {"kind": "pairs", "templates": {"positive": ["{}"]}},
        {"kind": "pairs", "templates": {"positive": ["{}"], "negative": ["nothing"]}},
        {"kind": "pairs", "classes": {"Mass": {"positive": [], "negative": ["no mass"]}}},
        {"kind": "class-prompts", "classes": {"Mass": []}},
        {"kind": "class-prompts", "classes": {"Mass": [" "]}},
        {"kind": "class-prompts", "classes": {"Mass": ["mass"]}, "reduce": "max"},
        {"kind": "gloria-chexpert", "per_class": 0, "seed": 6},
        {"kind": "gloria-chexpert", "per_class": 5},
        {"kind": "queries", "names": {"Lung Lesion": "lump"}},
    ],
)
def test_what_is_no_prompt_set_is_refused(wrong):
    with pytest.raises(ValidationError):
        read_prompts(wrong)


def test_queries_serve_chestxray14():
    found = prompts_for(read_prompts({"kind": "queries"}), tuple(NIH))
    assert found == {name: Prompts((query,)) for name, query in NIH.items()}


def test_queries_take_the_names_of_the_suite_first():
    named = read_prompts({"kind": "queries", "names": {"Lung Lesion": "lesion", "Fibrosis": "scar"}})
    found = prompts_for(named, ("Lung Lesion", "Fibrosis", "Pleural Effusion", "PNEUMONIA"))
    assert [one.positive for one in found.values()] == [("lesion",), ("scar",), ("effusion",), ("pneumonia",)]
    with pytest.raises(UsageError, match="lacks COVID-19"):
        prompts_for(named, ("COVID-19",))

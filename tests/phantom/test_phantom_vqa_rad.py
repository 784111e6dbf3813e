"""The phantoms that ask questions: their files by plain json, and what the answers have to do with the images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchx.datasets import DATASETS
from benchx.datasets.splits import make_folds, units_in_two_parts
from benchx.phantom.patients import make_patient
from benchx.phantom.questions import asked_image, questions
from benchx.phantom.render import render
from benchx.phantom.writers import write

PATIENTS, SEED, SIZE = 27, 2, 64
ASKING = ("vqa-rad", "vqa-rad-chest", "slake", "medvqa-2019", "path-vqa")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("vqa")
    write("vqa-rad", folder, PATIENTS, SEED, SIZE, lambda done, total: None)
    return folder


def test_the_files_have_the_published_keys(root, shared):
    real = shared / "data" / "vqa-rad"
    for name in ("trainset.json", "testset.json"):
        ours, theirs = (json.loads((folder / name).read_text())[0] for folder in (root, real))
        assert list(ours) == list(theirs)
    ours, theirs = (json.loads((folder / "imgid2idx.json").read_text()) for folder in (root, real))
    assert {type(number) for number in ours.values()} == {type(number) for number in theirs.values()}


def test_the_reader_gives_what_is_asked_about_what_was_drawn(root):
    samples = DATASETS["vqa-rad"].read(root)
    assert samples.phantom
    assert (samples.missing, samples.notes) == ((), ())
    assert len(samples.table) == PATIENTS
    for index in range(1, PATIENTS + 1):
        patient = make_patient(SEED, index)
        asked = samples.questions[samples.questions["sample"] == f"synpic{index}"]
        told = asked[["text", "answer", "kind", "closed"]].itertuples(index=False, name=None)
        assert list(told) == [tuple(question) for question in questions(patient)]
        assert set(asked["official"]) == {"test" if index % 9 in (4, 8) else "train"}
        image = np.asarray(Image.open(root / "images" / f"synpic{index}.jpg"), float)
        drawn = render(patient, asked_image(patient), SIZE).pixels >> 4
        assert np.abs(image - drawn).mean() < 2


def test_answers_follow_from_the_findings():
    for index in range(1, 60):
        patient = make_patient(SEED, index)
        spec = patient.images[asked_image(patient)]
        there = {finding.name.replace("_", " ").lower(): finding for finding in spec.findings}
        asked = questions(patient)
        assert len({question.text for question in asked}) == len(asked)
        for question in asked:
            subject = question.text.rstrip("?").removeprefix("Is there evidence of ").rpartition(" the ")[2]
            if question.text.startswith("Is there evidence"):
                assert question.answer == ("Yes" if subject in there else "No")
            elif question.kind == "POS":
                assert question.answer == there[subject].side
        assert next(one.answer for one in asked if one.kind == "PLANE") == spec.view.lower()
        assert next(one.answer for one in asked if one.kind == "ABN") == ("No" if there else "Yes")


def test_no_answer_to_whether_a_finding_is_there_is_much_the_likelier():
    asked = [question for index in range(1, 400) for question in questions(make_patient(SEED, index))]
    presence = [one.answer for one in asked if one.text.startswith("Is there evidence")]
    assert 0.2 < np.mean([answer == "Yes" for answer in presence]) < 0.5
    sides = [one.answer for one in asked if one.kind == "POS"]
    assert 0.35 < np.mean([side == "left" for side in sides]) < 0.65


@pytest.mark.parametrize("name", ASKING)
def test_every_asking_layout_reads_and_shares_no_image_between_parts(name, tmp_path):
    write(name, tmp_path, PATIENTS, SEED, SIZE, lambda done, total: None)
    samples = DATASETS[name].read(tmp_path).sorted()
    assert samples.missing == ()
    (fold,) = make_folds(samples.cases, "official")
    assert units_in_two_parts(samples.cases, [fold]) == []
    assert len(fold.train) > len(fold.test) > 0
    images = samples.table.set_index("sample")["image"]
    assert len(images) == PATIENTS
    assert all((tmp_path / image).is_file() for image in images)

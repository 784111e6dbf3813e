"""Bundles of answers to questions: re-scored, and compared with one's own questions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_results import METHOD, errors, forge, record_of
from made_tasks import editing

from benchx.datasets.samples import COLUMNS, Samples
from benchx.datasets.splits import make_folds, split_digest
from benchx.planning import plan
from benchx.publishing.bundle import make_bundle, write_bundle
from benchx.publishing.completeness import inapplicable
from benchx.publishing.model_index import model_index
from benchx.publishing.pseudonyms import case_names, hide
from benchx.publishing.records import has_unknown_key
from benchx.publishing.selection import select
from benchx.publishing.truth import Truth, compare
from benchx.publishing.verify import verify
from benchx.results.store import Store
from benchx.suites import read_suite
from benchx.tasks.vqa.scores import FLAGS, fault, score

SUITE = """
name: questions
version: 1
description: questions
short_side: 256
fractions: [1.0]
cut_validation: false
seeds: [0]
datasets:
  vqa-rad:
    split: official
    tasks:
      vqa: {protocols: [answer], primary: accuracy}
protocols:
  answer:
    kind: answer
    input: {preprocessing: card}
    feature_batch: 32
    precision: fp32
    encoder: frozen
    questions: minilm
    head: mlp
    epochs: 10
    batch_size: 32
    lr: 0.001
    head_lr: 0.001
    weight_decay: 0.0
    patience: 3
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "questions.yaml"
    path.write_text(SUITE)
    return read_suite(str(path))


@pytest.fixture(scope="module")
def cell(suite):
    (cell,) = plan(suite, [METHOD])
    return cell


@pytest.fixture(scope="module")
def samples():
    """Four questions about each of 30 images, of which the last ten are tested; images are the units.

    Yes is the most frequent answer, and what a kind is answered with follows from whether it is closed.
    """
    images = pd.DataFrame({"sample": [f"s{n:02d}" for n in range(30)], "image": [f"s{n:02d}.png" for n in range(30)]})
    table = images.assign(official="").reindex(columns=COLUMNS).astype(object)
    table = table.where(table.notna(), None)
    questions = pd.DataFrame(
        {
            "question": [f"q{n:03d}" for n in range(120)],
            "sample": [f"s{n // 4:02d}" for n in range(120)],
            "text": "is it there?",
            "answer": ["yes" if n % 3 else "the left lung" for n in range(120)],
            "closed": [n % 3 > 0 for n in range(120)],
            "kind": ["size" if n % 2 else "organ" for n in range(120)],
            "official": ["test" if n >= 80 else "train" for n in range(120)],
        }
    )
    return Samples("vqa-rad", Path(), table, np.zeros((30, 0), np.float32), (), questions=questions)


@pytest.fixture(scope="module")
def table(samples):
    rng = np.random.default_rng(0)
    asked = samples.questions.iloc[80:]
    flags = dict.fromkeys(FLAGS, np.ones(40)) | {
        "correct": rng.integers(0, 2, 40),
        "closed": asked["closed"],
        "seen_image": np.zeros(40),
        "majority": asked["answer"] == "yes",
    }
    case = {"sample": asked["question"].tolist(), "cluster": [f"{name}.png" for name in asked["sample"]]}
    flags = {name: np.asarray(flag).astype(np.int8) for name, flag in flags.items()}
    return pd.DataFrame(case | {"fold": np.zeros(40, np.int8)} | flags).assign(
        **{"group:question": pd.array(asked["kind"], dtype="string")}
    )


@pytest.fixture(scope="module")
def store(cell, samples, table, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    cases = samples.cases
    split = split_digest(cases, make_folds(cases, "official"))
    parts = {"train": 18, "val": 2, "test": 10}
    fold = {"fold": 0, "images": parts, "units": parts, "untrained_classes": []}
    fold |= {"questions": {"train": 72, "val": 8, "test": 40}}
    record = record_of(cell, None, data="real", split=split, unit="image").model_copy(
        update={"state": "done", "reason": None, "scores": score(table), "details": {"folds": [fold]}}
    )
    store.put(record, table)
    return store


@pytest.fixture(scope="module")
def bundle(suite, store, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "questions.benchx.zip"
    write_bundle(make_bundle(suite, store, METHOD), path)
    return path


def truth_of(samples, salt=None):
    folds = make_folds(samples.cases, "official")
    return Truth(samples, salt, folds, split_digest(samples.cases, folds), "")


def test_answers_are_rescored_but_for_what_groups_alone_tell(bundle, suite, table, store):
    assert fault(table) is None
    assert set(next(iter(store.records())).scores["per_kind"]) == {"size", "organ"}
    verdict = verify(bundle, suite=suite)
    assert verdict.sound, verdict.findings
    (one,) = verdict.cells
    assert (one.state, one.attested, one.score) == ("re-scored", ("per_kind",), score(table)["accuracy"])
    told = {finding.check: finding.what for finding in verdict.findings}
    assert told["cases"] == "answers are taken as they were judged: none is in a bundle"
    assert told["key"] == "its key was not computed: no digest of all weights that it reads is in the record"


@pytest.mark.parametrize(
    ("change", "check", "says"),
    [
        ({"record": lambda r: r["scores"].update(accuracy_open=0.5)}, "scores", "accuracy_open is recorded as 0.5"),
        ({"record": lambda r: r["scores"].update(accuracy_unseen=1.5)}, "values", "outside 0 to 1"),
        ({"record": lambda r: r["scores"]["per_kind"]["size"].update(accuracy=2.0)}, "values", "outside 0 to 1"),
        ({"table": lambda t: t.assign(closed=np.int8(2))}, "values", "a flag is neither 0 nor 1"),
        ({"table": lambda t: t.assign(correct=np.float32(1))}, "predictions", "'correct' is of type float"),
        ({"table": lambda t: t.assign(answer="pneumonia")}, "predictions", "1 column too many, first 'answer'"),
        (
            {"record": lambda r: r["details"]["folds"][0]["questions"].update(test=39)},
            "details",
            "details count 39 test questions in fold 0, the predictions 40",
        ),
        ({"record": lambda r: r["details"]["folds"][0].pop("questions")}, "details", "do not count its questions"),
    ],
)
def test_what_was_edited_is_found(bundle, suite, tmp_path, change, check, says):
    found = errors(verify(forge(bundle, editing("vqa", **change), tmp_path / "f.zip"), suite=suite))
    assert [what for name, what in found if name == check and says in what], found


def test_questions_are_those_of_ones_own_files(cell, samples, table, store):
    provenance = next(iter(store.records())).provenance
    truth = truth_of(samples)
    assert compare(table, cell, provenance, truth).differences == []

    def differs(changed, provenance=provenance):
        return compare(changed, cell, provenance, truth)

    assert differs(table.assign(closed=1 - table["closed"])).differences == [
        "not closed or open as in your files: 40 questions"
    ]
    for name in ("answerable", "seen_image", "majority", "majority_by_kind"):
        (said,) = differs(table.assign(**{name: 1 - table[name]})).differences
        assert said.endswith("as by your files: 40 questions")
    (said,) = differs(table.assign(sample=["q999", *table["sample"][1:]])).differences
    assert said == "not in your files: 1 of 40 test cases"
    assert "another cluster than in your files: 36 test cases" in differs(table.assign(cluster="s20.png")).differences
    (said,) = differs(table.iloc[4:]).differences
    assert said.startswith("without a prediction: 4 of 40 test cases")


def test_an_unreadable_image_takes_all_its_questions_along_and_no_more(cell, samples, table, store):
    provenance = next(iter(store.records())).provenance.model_copy(update={"unreadable": 1})
    told = compare(table.iloc[4:], cell, provenance, truth_of(samples))
    assert told.differences == []
    assert told.left_out == [
        "without a prediction: 4 of 40 test cases; 1 image said to be unreadable",
        "what training knew of the test questions is not compared; 1 image said to be unreadable",
    ]
    assert compare(table.iloc[5:], cell, provenance, truth_of(samples)).differences


def test_pseudonyms_of_questions_cannot_be_tried_by_their_numbers_alone(cell, samples, table, store):
    hidden = hide(table, cell, "salt")
    assert set(hidden.columns) == {"sample", "cluster", "fold", *FLAGS}
    assert hidden["cluster"].nunique() == 10
    assert not set(hidden["sample"]) & set(case_names(cell, "salt", table["sample"].tolist(), [""] * 40))
    provenance = next(iter(store.records())).provenance
    assert compare(hidden, cell, provenance, truth_of(samples, "salt")).differences == []


def test_a_key_with_another_methods_weights_is_said_not_to_be_computed(suite, cell, store):
    (record,) = store.records()
    assert has_unknown_key(record, cell)


def test_a_method_without_text_applies_where_another_reads_the_questions(suite, cell):
    assert inapplicable(cell, [], None, [{"text": None}])[0] == "warning"
    own = {**cell.settings, "protocol": cell.settings["protocol"] | {"questions": "own"}}
    alone = type(cell)(**{**vars(cell), "settings": own})
    assert inapplicable(alone, [], None, [{"text": None}]) == ("note", "the method reads no text, by its card")


def test_the_hub_gets_the_three_accuracies(suite, store, table):
    (entry,) = model_index(select(suite, store, METHOD), store)["model-index"][0]["results"]
    assert entry["task"] == {"type": "visual-question-answering", "name": "Visual question answering"}
    assert entry["dataset"]["config"] == "answer, 100 % of the labels"
    found = {one["name"]: one["value"] for one in entry["metrics"]}
    assert found["Accuracy of open questions, exact answers"] == score(table)["accuracy_open"]
    assert len(found) == 3

"""Prompt sets searched on validation images, each method by itself: what is chosen, what is told, what is looked at."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from tiny_method import SmallEncoder
from torch.nn.functional import cosine_similarity
from zero_shot_cells import CLASSES, PAIRS, cell

from benchx.cell import execute
from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable, UsageError
from benchx.images.geometry import prepare
from benchx.protocols import ZeroShot
from benchx.tasks.zero_shot.searching import best, on_validation, searched

TEMPLATES = ("{}", "there is a {}", "{} is seen", "an image of {}", "signs of {}")
LACKING = {"kind": "class-prompts", "classes": {"Mass": ["mass"]}}


def alone(template: str) -> dict:
    return {"kind": "class-prompts", "templates": [template]}


@pytest.fixture
def validation(workspace) -> dict[str, float]:
    """The macro AUROC of every template on validation images, one image and one text at a time."""
    dataset, encoder = workspace.dataset(cell().reading), SmallEncoder()
    (fold,) = workspace.folds(cell().reading).folds
    truth = dataset.samples.class_labels(CLASSES)[fold.val]
    images = []
    with torch.inference_mode():
        for row in fold.val:
            features = encoder.encode(prepare(dataset.pixels.images([row]), workspace.card("mgca-vit").images))
            images.append(encoder.project(features)[0])
        found = {}
        for template in TEMPLATES:
            texts = encoder.encode_text([template.format(name) for name in CLASSES]).embedding
            scores = [[float(cosine_similarity(image, text, dim=0)) for text in texts] for image in images]
            found[template] = float(
                np.mean([roc_auc_score(*one) for one in zip(truth.T, np.transpose(scores), strict=True)])
            )
    return found


@pytest.mark.parametrize("scoring", ["common", "official"])
def test_the_best_set_on_validation_scores_the_test_images(workspace, validation, scoring):
    rising = sorted(TEMPLATES, key=lambda template: validation[template])
    sets = [alone(template) for template in (*rising[:2], rising[-1], *rising[2:-1])]
    record = execute(cell(prompts=sets[0], search=sets[1:], scoring=scoring), workspace)
    assert record.details["chosen"] == 2
    assert record.details["folds"][0]["chosen"] == 2
    told = record.details["searched"]
    assert [one["prompts"] for one in told] == [f"class-prompts/{number}" for number in range(5)]
    expected = [validation[template] for template in (*rising[:2], rising[-1], *rising[2:-1])]
    assert [one["validation"] for one in told] == pytest.approx(expected, abs=1e-9)
    assert record.details["prompts"]["classes"]["Mass"]["positive"] == [rising[-1].format("Mass")]
    by_itself = execute(cell(prompts=sets[2], scoring=scoring), workspace)
    ours, theirs = (workspace.store.predictions(one.key) for one in (record, by_itself))
    assert by_itself.key != record.key
    assert ours.drop(columns=["sample", "cluster"]).select_dtypes("number").to_numpy() == pytest.approx(
        theirs.drop(columns=["sample", "cluster"]).select_dtypes("number").to_numpy(), abs=1e-5, nan_ok=True
    )
    assert record.details["folds"][0]["f1_thresholds"] == pytest.approx(
        by_itself.details["folds"][0]["f1_thresholds"], abs=1e-5
    )


def test_labels_of_test_cases_choose_nothing(workspace):
    sets = [alone(template) for template in TEMPLATES]
    first = execute(cell(prompts=sets[0], search=sets[1:]), workspace)
    (fold,) = workspace.folds(cell().reading).folds
    labels = workspace.dataset(cell().reading).samples.labels
    labels[fold.test] = 1 - labels[fold.test]
    second = execute(cell(prompts=sets[0], search=sets[1:]), workspace)
    assert second.details["searched"] == first.details["searched"]
    assert second.details["chosen"] == first.details["chosen"]
    assert second.scores["macro_auroc"] == pytest.approx(1 - first.scores["macro_auroc"], abs=1e-12)


def test_of_equals_the_first_is_taken(workspace, validation):
    top, low = (pick(TEMPLATES, key=lambda template: validation[template]) for pick in (max, min))
    record = execute(cell(prompts=alone(low), search=[alone(top), alone(top)]), workspace)
    assert record.details["chosen"] == 1
    assert record.details["searched"][1]["validation"] == record.details["searched"][2]["validation"]


def test_a_set_that_lacks_a_class_is_skipped_with_its_reason(workspace):
    queries = {"kind": "queries"}
    record = execute(cell(prompts=LACKING, search=[queries, PAIRS]), workspace)
    told = record.details["searched"]
    assert "lacks Effusion, Cardiomegaly" in told[0]["skipped"]
    assert "not asked by fixed queries" in told[1]["skipped"]
    assert "skipped" not in told[2]
    assert [one["validation"] is None for one in told] == [True, True, False]
    assert record.details["chosen"] == 2
    with pytest.raises(UsageError, match="the prompt set lacks Effusion"):
        execute(cell(prompts=LACKING, search=[queries]), workspace)


def test_without_both_values_on_validation_the_first_set_is_taken(workspace):
    (fold,) = workspace.folds(cell().reading).folds
    workspace.dataset(cell().reading).samples.labels[fold.val] = 0
    record = execute(cell(prompts=LACKING, search=[PAIRS, alone("{}")]), workspace)
    assert record.details["chosen"] == 1
    assert [one["validation"] for one in record.details["searched"]] == [None] * 3
    assert "no class has both values among the validation images" in record.details["without_search"]
    usual = execute(cell(prompts=PAIRS), workspace)
    assert record.scores["macro_auroc"] == usual.scores["macro_auroc"]


class Counting(SmallEncoder):
    """Counts how often images are encoded, and which texts they are compared with, by their pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded: Counter[bytes] = Counter()
        self.compared: dict[bytes, set[int]] = {}
        self.last: list[bytes] = []

    def encode(self, images):
        self.last = [image.numpy().tobytes() for image in images]
        self.encoded.update(self.last)
        return super().encode(images)

    def similarity(self, images, text):
        for image in self.last:
            self.compared.setdefault(image, set()).update(int(1e6 * one) for one in text.embedding[:, 0])
        return super().similarity(images, text)


def test_images_are_encoded_once_and_only_the_chosen_set_sees_the_test_images(workspace, monkeypatch):
    encoder = Counting().eval()
    monkeypatch.setattr(workspace, "load_encoder", lambda method, size, text: encoder)
    sets = [alone(template) for template in TEMPLATES]
    record = execute(cell(prompts=sets[0], search=sets[1:], scoring="official"), workspace)
    (fold,) = workspace.folds(cell().reading).folds
    dataset, spec = workspace.dataset(cell().reading), workspace.card("mgca-vit").images
    val, test = (
        [prepare(dataset.pixels.images([row]), spec)[0].numpy().tobytes() for row in some]
        for some in (fold.val, fold.test)
    )
    assert len(set(val) | set(test)) == len(val) + len(test)
    assert encoder.encoded == Counter(val + test)
    texts = [TEMPLATES[record.details["chosen"]].format(name) for name in CLASSES]
    chosen = {int(1e6 * one) for one in SmallEncoder().encode_text(texts).embedding[:, 0]}
    assert all(encoder.compared[image] == chosen for image in test)
    assert all(len(encoder.compared[image]) == len(CLASSES) * len(sets) for image in val)


def test_every_fold_chooses_for_itself(workspace):
    sets = [alone(template) for template in TEMPLATES]
    asked = cell(prompts=sets[0], search=sets[1:], split="cv5")
    record = execute(asked, workspace)
    numbers = [fold["chosen"] for fold in record.details["folds"]]
    assert len(numbers) == 5
    assert len(set(numbers)) > 1
    assert record.details["chosen"] is None
    assert len(record.details["prompts"]) == len(set(numbers))
    table = workspace.store.predictions(record.key)
    for number in set(numbers):
        theirs = workspace.store.predictions(execute(cell(prompts=sets[number], split="cv5"), workspace).key)
        rows = table["fold"].map(dict(enumerate(numbers))) == number
        columns = [f"score:{name}" for name in CLASSES]
        assert table.loc[rows, columns].to_numpy() == pytest.approx(theirs.loc[rows, columns].to_numpy(), abs=1e-5)


def test_the_choice_by_hand():
    assert best({0: 0.5, 1: 0.7, 2: 0.7}) == 1
    assert best({2: 0.4, 1: None, 0: None}) == 2
    assert best({3: None, 1: None}) == 1
    labels = np.array([[1.0, 0], [0, 0], [np.nan, 0]])
    scores = {0: np.array([[0.2, 0], [0.1, 0], [0.3, 0]]), 4: np.array([[0.1, 0], [0.1 + 1e-12, 0], [0.3, 0]])}
    fold = Fold(np.array([], int), np.arange(3), np.array([], int))
    assert on_validation(scores, labels, fold) == {0: 1.0, 4: 0.5}
    empty = Fold(np.arange(3), np.array([], int), np.array([], int))
    assert on_validation(scores, labels, empty) == {0: None, 4: None}


def test_what_is_told_of_several_folds():
    protocol = ZeroShot.model_validate(
        {
            "kind": "zero-shot",
            "input": {"preprocessing": "card", "size": None},
            "feature_batch": 1,
            "precision": "fp32",
            "prompts": PAIRS,
            "search": [LACKING, alone("{}")],
        }
    )
    told = searched(protocol, [{0: 0.5, 2: 0.75}, {0: 0.5, 2: None}], {1: NotApplicable("no", "why", "do")})
    assert told["searched"] == [
        {"prompts": "pairs/0", "validation": 0.5},
        {"prompts": "class-prompts/1", "validation": None, "skipped": "no (why)"},
        {"prompts": "class-prompts/2", "validation": 0.75},
    ]
    assert told["chosen"] is None

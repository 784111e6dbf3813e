from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from benchx.datasets.samples import COLUMNS, Samples
from benchx.datasets.splits import make_folds
from benchx.errors import NotApplicable
from benchx.planning import Cell
from benchx.protocols import Frozen
from benchx.tasks import classification
from benchx.tasks.frozen import frozen_fit

CLASSES = ("Mass", "Edema", "Hernia")
PROTOCOL = Frozen.model_validate(
    {
        "kind": "frozen",
        "input": {"preprocessing": "card", "size": None},
        "strengths": [0.001, 0.1, 10.0],
        "min_validation_positives": 5,
        "inner_folds": 3,
        "feature_batch": 8,
        "precision": "fp32",
    }
)


def make(images: int = 600, prevalence=(0.4, 0.3, 0.2), official: bool = True, seed: int = 0):
    rng = np.random.default_rng(seed)
    labels = (rng.random((images, 3)) < prevalence).astype(np.float32)
    features = rng.standard_normal((images, 12)).astype(np.float32)
    features[:, :3] += labels * [1.5, 1.0, 0.7]
    table = pd.DataFrame(
        {
            "sample": [f"i{row:04d}" for row in range(images)],
            "patient": [f"p{row // 2}" for row in range(images)],
            "image": "",
            "official": ["test" if official and row < images // 4 else "train" for row in range(images)],
        }
    ).reindex(columns=COLUMNS)
    if not official:
        table["official"] = ""
    return features, Samples("nih", Path(), table, labels, CLASSES)


def cell(fraction: float = 1.0, split: str = "official", seed: int | None = None) -> Cell:
    settings = {"classes": list(CLASSES), "protocol": {"kind": "frozen"}}
    settings |= {"smallest_fraction": fraction, "cut_validation": True} if fraction < 1 else {}
    return Cell("s", 1, "m", "nih", "classification", "frozen", split, fraction, seed, "macro_auroc", settings)


def run(features, samples, asked, protocol=PROTOCOL):
    problem = classification.pose(asked, samples, make_folds(samples, asked.split))
    return problem, classification.run(problem, frozen_fit(features, protocol, "cpu"), lambda done, total: None)


def reference(features, labels, train, other, strength):
    """Decision scores of scikit-learn's logistic regression per class, [n, C]."""
    features = features.astype(np.float64)
    scaler = StandardScaler().fit(features[train])
    columns = []
    for index in range(labels.shape[1]):
        model = LogisticRegression(C=1 / (strength * len(train)), tol=1e-10, max_iter=10000)
        model.fit(scaler.transform(features[train]), labels[train, index])
        columns.append(model.decision_function(scaler.transform(features[other])))
    return np.stack(columns, axis=1)


def test_strength_is_chosen_on_validation_and_scores_equal_scikit_learn():
    features, samples = make()
    problem, outcome = run(features, samples, cell())
    (draw,) = problem.draws
    curve = []
    for strength in PROTOCOL.strengths:
        scores = reference(features, samples.labels, draw.train, draw.val, strength)
        curve.append(np.mean([roc_auc_score(samples.labels[draw.val, i], scores[:, i]) for i in range(3)]))
    (chosen,) = outcome.details["folds"]
    assert chosen["selection"] == "validation"
    assert chosen["selection_curve"] == pytest.approx(curve, abs=1e-4)
    assert chosen["strength"] == PROTOCOL.strengths[int(np.argmax(curve))]
    assert chosen["converged"]
    expected = reference(features, samples.labels, draw.train, draw.test, chosen["strength"])
    stored = outcome.predictions[[f"score:{name}" for name in CLASSES]].to_numpy()
    assert np.abs(stored - expected).max() < 1e-4
    assert list(outcome.predictions["sample"]) == [f"i{row:04d}" for row in draw.test]


def test_too_few_validation_cases_are_replaced_by_cross_validation():
    features, samples = make(prevalence=(0.05, 0.05, 0.05))
    _, outcome = run(features, samples, cell())
    (chosen,) = outcome.details["folds"]
    assert chosen["selection"] == "cross-validation inside train"
    assert len(chosen["selection_curve"]) == 3


def test_five_folds_train_on_all_four_others_and_predict_everyone_once():
    features, samples = make(official=False)
    _, outcome = run(features, samples, cell(split="cv5"))
    assert sorted(outcome.predictions["sample"]) == list(samples.table["sample"])
    assert {fold["selection"] for fold in outcome.details["folds"]} == {"cross-validation inside train"}
    scores = classification.score(outcome.predictions)
    assert scores["n"] == len(samples.table)
    assert scores["macro_auroc"] > 0.7


def test_the_validation_part_of_the_other_folds_teaches_the_head_too():
    features, samples = make(official=False)
    fold = make_folds(samples, "cv5")[0]
    samples.labels[np.concatenate([fold.train, fold.test]), 2] = 0
    problem, outcome = run(features, samples, cell(split="cv5"))
    assert set(problem.draws[0].train) == set(fold.train) | set(fold.val)
    assert outcome.details["folds"][0]["untrained_classes"] == []
    assert outcome.details["folds"][0]["images"]["val"] == 0


def test_a_class_that_one_fold_alone_holds_scores_one_half_out_of_fold():
    features, samples = make(official=False)
    features = np.random.default_rng(9).standard_normal(features.shape).astype(np.float32)
    fold = make_folds(samples, "cv5")[0]
    samples.labels[:, 2] = 0
    samples.labels[fold.test[:20], 2] = 1
    _, outcome = run(features, samples, cell(split="cv5"))
    assert outcome.details["folds"][0]["untrained_classes"] == ["Hernia"]
    assert classification.score(outcome.predictions)["per_class"]["Hernia"]["auroc"] == pytest.approx(0.5, abs=0.02)


def test_a_class_without_a_training_positive_scores_one_half_and_is_named():
    features, samples = make()
    (fold,) = make_folds(samples, "official")
    samples.labels[np.concatenate([fold.train, fold.val]), 2] = 0
    _, outcome = run(features, samples, cell())
    assert outcome.details["folds"][0]["untrained_classes"] == ["Hernia"]
    scores = classification.score(outcome.predictions)
    assert scores["per_class"]["Hernia"]["auroc"] == 0.5
    assert scores["excluded_classes"] == {}


def test_a_class_without_a_test_positive_is_left_out_of_the_mean_and_named():
    features, samples = make()
    (fold,) = make_folds(samples, "official")
    samples.labels[fold.test, 0] = 1
    samples.labels[fold.test, 1] = np.nan
    _, outcome = run(features, samples, cell())
    scores = classification.score(outcome.predictions)
    assert set(scores["excluded_classes"]) == {"Mass", "Edema"}
    assert scores["macro_auroc"] == scores["per_class"]["Hernia"]["auroc"]


def test_nothing_to_score_or_to_learn_is_not_applicable_with_counts():
    features, samples = make()
    (fold,) = make_folds(samples, "official")
    samples.labels[fold.test] = 0
    with pytest.raises(NotApplicable, match="none has both values among the 150 test images"):
        run(features, samples, cell())
    features, samples = make()
    samples.labels[1::2] = samples.labels[::2]
    with pytest.raises(NotApplicable, match=r"fraction 0.01 % of nih cannot be trained") as caught:
        run(features, samples, cell(0.0001, seed=0))
    assert "positives: Mass" in caught.value.why


def test_two_patients_take_the_strongest_head():
    features, samples = make()
    for seed in range(40):
        try:
            _, outcome = run(features, samples, cell(2 / 205, seed=seed))
        except NotApplicable:
            continue
        (chosen,) = outcome.details["folds"]
        assert chosen["selection"].startswith("none: too few")
        assert chosen["strength"] == max(PROTOCOL.strengths)
        return
    pytest.fail("no draw of two patients could be trained")

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
from benchx.digests import fraction_of_hash
from benchx.errors import NotApplicable
from benchx.planning import Cell
from benchx.protocols import Frozen
from benchx.tasks.classification import problem as classification
from benchx.tasks.classification.frozen import frozen_fit

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
    held = reference(features, samples.labels, draw.train, draw.val, chosen["strength"])
    assert_thresholds(chosen["thresholds"], held, samples.labels[draw.val])


def assert_thresholds(found, logits, labels):
    """A threshold is the negative at place ceil(target x negatives), by scikit-learn's scores within 1e-4."""
    for index, name in enumerate(CLASSES):
        negatives = np.sort(logits[(labels[:, index] == 0) & ~np.isnan(logits[:, index]), index])
        for target in (90, 95):
            place = -(-target * len(negatives) // 100) - 1
            assert found[name][f"{target / 100:g}"] == pytest.approx(negatives[place], abs=1e-4)


def test_out_of_fold_logits_of_the_chosen_strength_give_the_thresholds_where_validation_is_too_small():
    features, samples = make(400, prevalence=(0.05, 0.05, 0.05))
    (fold,) = make_folds(samples, "official")
    units = sorted(set(samples.clusters[fold.train]), key=lambda unit: fraction_of_hash("inner", "nih", 0, unit))
    part = {unit: place % PROTOCOL.inner_folds for place, unit in enumerate(units)}
    inner = np.array([part[unit] for unit in samples.clusters[fold.train]])
    samples.labels[fold.train[inner != 0], 2] = 0
    samples.labels[fold.train[inner == 0][:8], 2] = 1
    problem, outcome = run(features, samples, cell())
    (chosen,) = outcome.details["folds"]
    assert chosen["selection"] == "cross-validation inside train"
    train = problem.draws[0].train
    logits = np.full((len(train), 3), np.nan)
    for number in range(PROTOCOL.inner_folds):
        held = inner == number
        # All positives of the last class lie in part 0, so that nothing can predict that part.
        classes = (0, 1) if number == 0 else (0, 1, 2)
        labels = samples.labels[:, classes]
        scores = reference(features, labels, train[~held], train[held], chosen["strength"])
        logits[np.ix_(held, classes)] = scores
    assert_thresholds(chosen["thresholds"], logits, samples.labels[train])


def test_subgroups_stand_beside_the_cases_of_every_fold():
    _, samples = make(official=False)
    sex = np.random.default_rng(5).choice(["F", "M", ""], 300)
    samples.table["sex"] = np.repeat(sex, 2)
    samples.table["age"] = np.arange(600) / 6
    samples.table["view"] = None
    problem = classification.pose(cell(split="cv5"), samples, make_folds(samples, "cv5"))
    fit = lambda problem, draw: classification.Fitted(np.zeros((len(draw.test), 3)), None, {})  # noqa: E731
    outcome = classification.run(problem, fit, lambda done, total: None)
    whole = dict(zip(samples.table["sample"], samples.table["sex"], strict=True))
    expected = [{"F": "female", "M": "male", "": None}[whole[name]] for name in outcome.predictions["sample"]]
    found = outcome.predictions["group:sex"]
    assert [None if pd.isna(value) else value for value in found] == expected
    assert outcome.predictions.columns[-2:].tolist() == ["group:sex", "group:age"]
    assert classification.score(outcome.predictions)["n"] == 600


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
    (chosen,) = outcome.details["folds"]
    assert chosen["untrained_classes"] == ["Hernia"]
    assert set(chosen["thresholds"]["Hernia"].values()) == {None}
    assert None not in chosen["thresholds"]["Mass"].values()
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
        assert chosen["thresholds"] == {}
        return
    pytest.fail("no draw of two patients could be trained")

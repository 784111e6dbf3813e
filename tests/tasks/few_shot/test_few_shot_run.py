"""A few-shot cell against a loop of scikit-learn over its draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_shots import CLASSES, PROTOCOL, cell, made
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from benchx.datasets.splits import Fold, make_folds
from benchx.errors import NotApplicable
from benchx.tasks.few_shot import placing
from benchx.tasks.few_shot.drawing import case_keys, draw_order, draw_pairs
from benchx.tasks.few_shot.problem import pose
from benchx.tasks.few_shot.run import solve
from benchx.tasks.few_shot.scores import fault, score


def run(features, samples, asked=None, folds=None, protocol=PROTOCOL):
    asked = asked or cell(protocol=protocol)
    folds = make_folds(samples, asked.split) if folds is None else folds
    problem = pose(asked, samples, folds)
    return problem, solve(problem, features, protocol, "cpu", lambda done, total: None)


def reference(features, problem, number, place, shots):
    """The AUROC of every draw by scikit-learn, on the fold's test cases with a known label."""
    fold, labels = problem.folds[number], problem.labels[:, place]
    x = StandardScaler().fit(features[fold.train].astype(np.float64)).transform(features.astype(np.float64))
    keys = case_keys("nih", problem.samples.table["sample"].to_numpy()[fold.train])
    units = np.unique(problem.samples.clusters[fold.train], return_inverse=True)[1]
    test = fold.test[~np.isnan(labels[fold.test])]
    found = []
    for draw in range(PROTOCOL.draws):
        order = draw_order(keys, "nih", number, draw)
        rows = fold.train[draw_pairs(order, labels[fold.train], units)[:shots].ravel()]
        model = LogisticRegression(C=1 / (PROTOCOL.strength * len(rows)), tol=1e-10, max_iter=10000)
        scores = model.fit(x[rows], labels[rows]).decision_function(x[test])
        found.append(roc_auc_score(labels[test], scores))
    return np.array(found)


@pytest.mark.parametrize("split", ["official", "cv5"])
def test_every_score_is_the_mean_over_draws_of_scikit_learns(split):
    features, samples = made()
    problem, outcome = run(features, samples, cell(split))
    assert fault(outcome.predictions) is None
    assert list(outcome.scores) == [
        *(f"macro_auroc_at_{shots}" for shots in PROTOCOL.shots), "per_class", "excluded_classes", "n",
    ]  # fmt: skip
    for shots in (1, 4, 16):
        of_class = []
        for place, name in enumerate(CLASSES):
            aurocs = [reference(features, problem, number, place, shots) for number in range(len(problem.folds))]
            positives = [(problem.labels[fold.test, place] == 1).sum() for fold in problem.folds]
            of_class.append(np.average(aurocs, axis=0, weights=positives))
            found = outcome.scores["per_class"][name][f"auroc_at_{shots}"]
            assert found == pytest.approx(of_class[-1].mean(), abs=1e-6)
        macro = np.mean(of_class, axis=0)
        assert outcome.scores[f"macro_auroc_at_{shots}"] == pytest.approx(macro.mean(), abs=1e-6)
        told = outcome.details["shots"][str(shots)]
        assert (told["mean"], told["sd"]) == pytest.approx((macro.mean(), macro.std(ddof=1)), abs=1e-6)
        assert (told["min"], told["max"]) == pytest.approx((macro.min(), macro.max()), abs=1e-6)
        assert (told["classes"], told["left_out"]) == (3, {})
    curve = [outcome.scores[f"macro_auroc_at_{shots}"] for shots in PROTOCOL.shots]
    assert curve == sorted(curve)
    assert curve[-1] > curve[0] + 0.05
    assert score(outcome.predictions) == outcome.scores


def test_the_table_has_the_test_cases_in_order_with_their_groups_and_details_count_them():
    features, samples = made()
    problem, outcome = run(features, samples)
    table = outcome.predictions
    assert list(table["sample"]) == [f"i{row:04d}" for row in problem.folds[0].test]
    assert table["group:sex"].tolist()[:4] == ["male", "male", "female", "female"]
    assert (table.filter(like="placement:").dtypes == np.float32).all()
    for name in CLASSES:
        unknown = table[f"label:{name}"].isna()
        assert unknown.any()
        assert all(table[f"placement:{shots}:{name}"].isna().equals(unknown) for shots in PROTOCOL.shots)
    (fold,) = outcome.details["folds"]
    assert fold["images"] == {"train": len(problem.folds[0].train), "val": 0, "test": 100}
    assert fold["converged"]
    assert fold["draws_with_repeated_units"] == {str(shots): 0 for shots in PROTOCOL.shots}


def test_a_class_with_too_few_cases_is_left_out_from_where_they_end():
    features, samples = made()
    (fold,) = make_folds(samples, "official")
    positives = fold.train[samples.labels[fold.train, 2] == 1]
    samples.labels[positives[5:], 2] = 0
    _, outcome = run(features, samples)
    names = {shots: set(outcome.details["shots"][str(shots)]["left_out"]) for shots in PROTOCOL.shots}
    assert names == {1: set(), 2: set(), 4: set(), 8: {"Hernia"}, 16: {"Hernia"}}
    assert outcome.details["shots"]["8"]["left_out"]["Hernia"].startswith("5 with it and ")
    hernia = outcome.scores["per_class"]["Hernia"]
    assert (hernia["auroc_at_8"], outcome.scores["excluded_classes"]) == (None, {})
    assert outcome.predictions["placement:8:Hernia"].isna().all()
    others = [outcome.scores["per_class"][name]["auroc_at_8"] for name in CLASSES[:2]]
    assert outcome.scores["macro_auroc_at_8"] == pytest.approx(np.mean(others), abs=1e-12)
    assert fault(outcome.predictions) is None


def test_a_class_that_one_fold_cannot_teach_is_left_out_of_all():
    features, samples = made()
    samples.labels[:, 2] = np.where(np.arange(400) == 7, 1, 0)
    problem, outcome = run(features, samples, cell("cv5"))
    assert all("Hernia" in problem.left_out[shots] for shots in PROTOCOL.shots)
    assert outcome.scores["excluded_classes"] == {"Hernia": "too few to train"}
    assert all(fold["untrained_classes"] == ["Hernia"] for fold in outcome.details["folds"])


def test_a_fold_whose_test_cases_are_of_one_value_has_no_part_in_the_class():
    features, samples = made(seed=3)
    samples.labels[:] = np.nan_to_num(samples.labels)
    rows = np.arange(400)
    folds = (Fold(rows[200:], rows[:0], rows[:100]), Fold(rows[200:], rows[:0], rows[100:200]))
    samples.labels[100:200, 0] = 0
    problem, outcome = run(features, samples, folds=folds)
    expected = reference(features, problem, 0, 0, 16).mean()
    assert outcome.scores["per_class"]["Mass"]["auroc_at_16"] == pytest.approx(expected, abs=1e-6)
    assert outcome.details["shots"]["16"]["classes"] == 3
    assert fault(outcome.predictions) is None


@pytest.mark.parametrize("unknown", [False, True])
def test_a_cell_without_any_class_does_not_apply(unknown):
    features, samples = made()
    samples.labels[:] = np.nan if unknown else 0
    with pytest.raises(NotApplicable, match="no class of nih has cases for 1 shots") as refused:
        run(features, samples)
    assert "Mass: only one value among test cases" in refused.value.why
    samples.labels[:100] = np.arange(100)[:, None] % 2
    with pytest.raises(NotApplicable) as refused:
        run(features, samples)
    assert "Mass: 0 with it" in refused.value.why


def test_one_patient_teaches_all_and_that_is_told():
    features, samples = made()
    table = samples.table.assign(patient=["p0" if row >= 100 else f"t{row}" for row in range(400)])
    _, outcome = run(features, replace(samples, table=table))
    (fold,) = outcome.details["folds"]
    assert fold["draws_with_repeated_units"] == {str(shots): 3 * PROTOCOL.draws for shots in PROTOCOL.shots}


def test_blocks_of_draws_give_the_same_numbers(monkeypatch):
    features, samples = made()
    _, whole = run(features, samples)
    monkeypatch.setattr(placing, "_SCORES", 500)
    monkeypatch.setattr(placing, "_ROWS", 7)
    _, parts = run(features, samples)
    columns = whole.predictions.filter(like="placement:").columns
    np.testing.assert_allclose(parts.predictions[columns], whole.predictions[columns], atol=1e-6)
    assert parts.scores["macro_auroc_at_16"] == pytest.approx(whole.scores["macro_auroc_at_16"], abs=1e-7)


def test_constant_features_are_chance():
    _, samples = made()
    _, outcome = run(np.ones((400, 4), np.float32), samples)
    assert [outcome.scores[f"macro_auroc_at_{shots}"] for shots in PROTOCOL.shots] == [0.5] * 5

"""Thresholds from held-out cases, applied to a prediction table fold by fold."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from benchx.tasks.operating_points import calls, held_out_thresholds, operating_points

NAN = float("nan")
CLASSES = ("Mass", "Edema")


def table(scores, labels, folds) -> pd.DataFrame:
    columns = {"sample": [f"i{row}" for row in range(len(folds))], "cluster": "p", "fold": np.array(folds, np.int8)}
    for index, name in enumerate(CLASSES):
        columns[f"score:{name}"] = np.array(scores, np.float32)[:, index]
        columns[f"label:{name}"] = np.array(labels, np.float32)[:, index]
    return pd.DataFrame(columns)


def test_thresholds_come_from_the_held_out_negatives_alone():
    logits = np.stack([np.arange(30.0), -np.arange(30.0)], axis=1)
    labels = np.zeros((30, 2))
    labels[20:, 0], labels[:21, 1] = 1, NAN
    found = held_out_thresholds(logits, labels, CLASSES)
    assert found == {"Mass": {"0.9": 17.0, "0.95": 18.0}, "Edema": {"0.9": None, "0.95": None}}
    logits[5:8, 0] = NAN  # not predicted: 17 negatives are left
    assert held_out_thresholds(logits, labels, CLASSES)["Mass"] == {"0.9": 18.0, "0.95": 19.0}
    nobody = held_out_thresholds(logits[:0], labels[:0], CLASSES)
    assert nobody["Mass"] == {"0.9": None, "0.95": None}


def test_a_test_case_that_equals_the_threshold_case_is_not_called():
    logits = np.tile(np.linspace(0, 1, 20)[:, None] / 3, (1, 2))
    (threshold,) = {found["0.9"] for found in held_out_thresholds(logits, np.zeros((20, 2)), CLASSES).values()}
    details = {"folds": [{"fold": 0, "thresholds": {"Mass": {"0.9": threshold}}}]}
    made = calls(table(logits, np.zeros((20, 2)), [0] * 20), details, 0.9)
    assert made[:, 0].tolist() == [0.0] * 18 + [1.0] * 2
    assert np.isnan(made[:, 1]).all()


def test_every_fold_is_judged_by_its_own_threshold_and_unjudged_cases_do_not_count():
    scores = [[3, 0], [1, 0], [3, 0], [1, 9], [7, 9], [7, 9]]
    labels = [[1, 0], [0, 1], [1, 0], [NAN, 0], [0, 1], [1, 1]]
    details = {
        "folds": [
            {"fold": 0, "thresholds": {"Mass": {"0.9": 2.0, "0.95": None}, "Edema": {"0.9": 5.0, "0.95": 5.0}}},
            {"fold": 1, "thresholds": {"Mass": {"0.9": 6.0, "0.95": None}, "Edema": {"0.9": None, "0.95": None}}},
            {"fold": 2, "thresholds": {}},
        ]
    }
    found = operating_points(table(scores, labels, [0, 0, 1, 1, 1, 2]), details)
    # Mass at 0.9: fold 0 calls 3 and not 1; fold 1 calls 7 (a negative) and not 3 (a positive); fold 2 cannot tell.
    assert found["Mass"]["0.9"] == {"sensitivity": 0.5, "specificity": 0.5, "positives": 2, "negatives": 2}
    assert found["Mass"]["0.95"] == {"sensitivity": None, "specificity": None, "positives": 0, "negatives": 0}
    assert found["Edema"]["0.9"] == {"sensitivity": 0.0, "specificity": 1.0, "positives": 1, "negatives": 1}
    json.dumps(found, allow_nan=False)


def test_records_made_before_thresholds_were_kept_have_nothing_to_say():
    found = operating_points(table([[3, 0]], [[1, 0]], [0]), {"folds": [{"fold": 0, "selection": "validation"}]})
    assert {point["positives"] + point["negatives"] for one in found.values() for point in one.values()} == {0}


def test_the_specificity_on_other_cases_of_the_same_kind_is_near_the_target():
    rng = np.random.default_rng(0)
    held, test = rng.normal(size=(4000, 2)), rng.normal(size=(4000, 2))
    details = {"folds": [{"fold": 0, "thresholds": held_out_thresholds(held, np.zeros((4000, 2)), CLASSES)}]}
    found = operating_points(table(test, np.zeros((4000, 2)), [0] * 4000), details)
    for name in CLASSES:
        # Two samples of 4000: a standard error of sqrt(2 * 0.09 / 4000) = 0.007 and less; four of them.
        assert found[name]["0.9"]["specificity"] == pytest.approx(0.9, abs=0.028)
        assert found[name]["0.95"]["specificity"] == pytest.approx(0.95, abs=0.02)

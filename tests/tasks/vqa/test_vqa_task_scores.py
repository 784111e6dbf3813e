"""Scores of question answering from its table, against plain means."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from tiny_questions import flags

from benchx.tasks.scoring import FAULTS, MEASURES, SCORERS
from benchx.tasks.vqa.scores import fault, score


def random_table(seed: int, count: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2, (count, 6))
    values[:, 0] &= values[:, 2]
    return flags(values.tolist(), rng.choice(["PRES", "POS"], count).tolist())


def test_the_task_is_registered():
    assert SCORERS["vqa"] is score
    assert FAULTS["vqa"] is fault
    assert "accuracy" in MEASURES["vqa"]


@pytest.mark.parametrize("seed", range(5))
def test_every_score_is_a_mean_over_its_questions(seed):
    table = random_table(seed)
    found = score(table)
    right = table["correct"].to_numpy(float)
    expected = {
        "accuracy": right.mean(),
        "accuracy_closed": right[table["closed"] == 1].mean(),
        "accuracy_open": right[table["closed"] == 0].mean(),
        "accuracy_unseen": right[table["seen_image"] == 0].mean(),
        "accuracy_answerable": right[table["answerable"] == 1].mean(),
        "majority_accuracy": table["majority"].mean(),
        "majority_by_kind_accuracy": table["majority_by_kind"].mean(),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12)
    for kind, own in found["per_kind"].items():
        chosen = (table["group:question"] == kind).to_numpy()
        assert own == {"accuracy": pytest.approx(right[chosen].mean(), abs=1e-12), "n": int(chosen.sum())}
    assert found["n"] == len(table)
    closed, total = found["accuracy_closed"], int((table["closed"] == 1).sum())
    assert found["accuracy"] * 60 == pytest.approx(closed * total + found["accuracy_open"] * (60 - total))
    json.dumps(found, allow_nan=False)


def test_what_no_question_is_like_has_no_score():
    found = score(flags([(1, 1, 1, 1, 1, 1), (0, 1, 0, 1, 0, 0)]))
    assert (found["accuracy_open"], found["accuracy_unseen"]) == (None, None)
    assert (found["accuracy"], found["accuracy_closed"], found["accuracy_answerable"]) == (0.5, 0.5, 1.0)
    assert found["per_kind"] == {}


def test_a_question_of_unknown_kind_is_in_no_kind():
    found = score(flags([(1, 1, 1, 1, 1, 1), (0, 1, 0, 1, 0, 0)], ["PRES", None]))
    assert found["per_kind"] == {"PRES": {"accuracy": 1.0, "n": 1}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda table: table.drop(columns="closed"), "no column closed"),
        (lambda table: table.drop(columns="sample"), "no column sample"),
        (lambda table: table.assign(correct=2), "neither 0 nor 1"),
        (lambda table: table.assign(majority=np.nan), "neither 0 nor 1"),
        (lambda table: table.assign(closed="yes"), "is not a number"),
        (lambda table: table.assign(correct=1, answerable=0), "outside of the vocabulary"),
        (lambda table: table.iloc[:0], "no question"),
    ],
)
def test_a_table_that_is_none_is_told_so(change, says):
    table = random_table(0)
    assert fault(table) is None
    assert says in fault(change(table))

"""Tables of few-shot classification: what is no such table, and scores without placements."""

from __future__ import annotations

import numpy as np
import pytest
from made_shots import CLASSES, PROTOCOL, cell, made

from benchx.datasets.splits import make_folds
from benchx.tasks.few_shot.problem import pose
from benchx.tasks.few_shot.run import solve
from benchx.tasks.few_shot.scores import MEASURES, SHOTS, fault, score
from benchx.tasks.kinds import KINDS


@pytest.fixture(scope="module")
def table():
    features, samples = made()
    problem = pose(cell(), samples, make_folds(samples, "official"))
    return solve(problem, features, PROTOCOL, "cpu", lambda done, total: None).predictions


def test_every_primary_is_a_measure_and_sums_to_its_score(table):
    assert set(MEASURES) == set(KINDS["few_shot"].primaries)
    scores = score(table)
    for name, measure in MEASURES.items():
        assert measure.of(table) == pytest.approx(scores[name], abs=1e-12)


def test_shots_that_a_table_does_not_have_have_no_score(table):
    fewer = table[[name for name in table if not name.startswith(("placement:8:", "placement:16:"))]]
    assert fault(fewer) is None
    assert [name for name in score(fewer) if name.startswith("macro")] == [f"macro_auroc_at_{k}" for k in (1, 2, 4)]
    assert np.isnan(MEASURES["macro_auroc_at_16"].of(fewer))
    bare = score(table[[name for name in table if not name.startswith("placement:")]])
    assert set(bare) == {"per_class", "n"}
    assert set(bare["per_class"]["Mass"]) == {"positives", "negatives"}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: t.drop(columns="cluster"), "it has no column cluster"),
        (lambda t: t[["sample", "cluster", "fold"]], "it has no label, or no placement"),
        (lambda t: t.drop(columns="placement:4:Mass"), "its placement and label columns are not of the same classes"),
        (lambda t: t.rename(columns={"label:Mass": "label:Other"}), "not of the same classes"),
        (lambda t: t.assign(**{"placement:4:Mass": "high"}), "a placement or a label is not a number"),
        (lambda t: t.assign(**{"label:Mass": 0.5}), "a label is neither 0 nor 1"),
        (lambda t: t.assign(**{"placement:4:Mass": np.inf}), "a placement at 4 shots is infinite"),
        (lambda t: t.assign(**{"placement:4:Mass": t["placement:4:Mass"].fillna(0)}), "of a case without a label"),
        (lambda t: t.assign(**{"placement:1:Mass": t["placement:1:Mass"] + 1}), "at 1 shots is outside its range"),
        (lambda t: t.assign(**{"placement:1:Mass": t["placement:1:Mass"] * 0 + 0.2}), "do not sum to 0"),
        (
            lambda t: t.assign(**{f"placement:{k}:{name}": np.nan for k in SHOTS for name in CLASSES}),
            "no class has a placement",
        ),
    ],
)
def test_what_is_no_table_of_the_task_is_said_in_words(table, spoil, said):
    assert said in fault(spoil(table))

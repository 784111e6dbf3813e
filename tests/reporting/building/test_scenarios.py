"""What a smaller search would have chosen, against every way to have tried fewer trials; and who drops out when."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from made_boards import made_board
from made_stores import CLASSIFICATION, made_store, predictions, record

from benchx.planning import plan
from benchx.reporting.building.leaderboard import Rules, build_board
from benchx.reporting.building.scenarios import expected_score
from benchx.results.store import Store
from benchx.suites import read_suite

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)


def chosen(validation, budget):
    """Return the place that the search takes, for every way to try `budget` trials."""
    scores = [-1.0 if score is None else score for score in validation]
    return [
        max(tried, key=lambda place: (scores[place], STRENGTHS[place]))
        for tried in combinations(range(len(validation)), budget)
    ]


@pytest.mark.parametrize("budget", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "validation",
    [
        (0.5, 0.9, 0.7, 0.6, 0.8),
        (0.9, 1.0, 1.0, 1.0, 0.8),
        (None, 0.7, None, 0.7, None),
        (None, None, None, None, None),
    ],
)
def test_the_expected_score_is_the_mean_over_all_smaller_searches(validation, budget):
    test = (0.1, 0.2, 0.3, 0.4, 0.5)
    expected = np.mean([test[place] for place in chosen(validation, budget)])
    assert expected_score(validation, test, STRENGTHS, budget) == pytest.approx(expected, abs=1e-12)


def test_unknown_test_scores_and_too_few_trials_give_nothing():
    assert expected_score((0.5, 0.6), (0.5, None), STRENGTHS[:2], 1) is None
    assert expected_score((0.5, 0.6), (0.5, 0.6), STRENGTHS[:2], 3) is None
    assert expected_score((), (), (), 1) is None


NEIGHBOURS = """
extends: chestxray
only: [rsna]
name: neighbours
fractions: [1.0]
datasets:
  rsna:
    split: official
    tasks:
      classification: {protocols: [knn], primary: macro_auroc}
      segmentation: null
      zero_shot: null
protocols:
  knn:
    kind: knn
    input: {preprocessing: card}
    feature_batch: 32
    precision: fp32
    neighbours: [20, 5, 50]
    temperature: 0.07
"""


def test_the_search_of_neighbours_takes_the_fewest_of_equals(tmp_path):
    """Validation cannot tell 5 from 20 neighbours, whose test scores order the two methods differently."""
    (tmp_path / "neighbours.yaml").write_text(NEIGHBOURS)
    suite = read_suite(str(tmp_path / "neighbours.yaml"))
    store = Store(tmp_path / "store")
    for method, scores in (("mrm", [0.6, 0.75, 0.2]), ("gloria", [0.68, 0.67, 0.2])):
        (cell,) = plan(suite, [method])
        table = predictions(cell, 1.0, 20, 4, 1.0)
        trials = {"selection_curve": [0.9, 0.9, 0.1], "trial_scores": scores}
        store.put(record(cell, table, {}, fold=trials), table)
    board = build_board(suite, [store], Rules(replicates=50), lambda card: None, lambda done, total: None)
    (all_trials,) = (one for one in board.standings[0].scenarios if one.name == "3 trials of the search")
    assert all_trials.ranks == {"gloria": 1.0, "mrm": 2.0}


def test_records_without_trial_scores_have_no_smaller_search(tmp_path):
    store = made_store(tmp_path, {"mrm": 1.0, "gloria": 0.2})
    for file in store.cells.glob("*/record.json"):
        file.write_text(file.read_text().replace('"trial_scores"', '"other_scores"'))
    board = build_board(
        read_suite(CLASSIFICATION), [store], Rules(replicates=50), lambda card: None, lambda done, total: None
    )
    kinds = {scenario.kind for scenario in board.standings[0].scenarios}
    assert kinds == {"as run", "without a dataset", "other metric", "one draw"}


def test_every_scenario_ranks_the_methods_of_the_standing_or_fewer():
    for standing in made_board(6, 4, 2).standings:
        ranked = {place.method for place in standing.places}
        assert all(set(scenario.ranks) <= ranked for scenario in standing.scenarios)

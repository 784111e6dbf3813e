"""Scores of zero-shot tables: from the table alone, from sums over cases, and what is no such table."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from benchx.tasks.zero_shot.scores import HEAT, MEASURES, fault, score

NAN = np.nan


def made(n: int = 50, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns = {"sample": [f"s{i}" for i in range(n)], "cluster": [f"p{i // 2}" for i in range(n)], "fold": 0}
    for name in ("a", "b"):
        labels = (rng.random(n) < 0.4).astype(np.float32)
        scores = rng.standard_normal(n).astype(np.float32) + labels
        columns |= {f"score:{name}": scores, f"label:{name}": labels, f"call:{name}": (scores > 0.3).astype(np.float32)}
    return pd.DataFrame(columns)


def with_heat(table: pd.DataFrame, *classes: str) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    drawn = {f"{column}:{name}": rng.random(len(table)) for column in HEAT.values() for name in classes}
    table = table.assign(**drawn)
    table.loc[table.index % 3 > 0, list(drawn)] = NAN
    return table


def test_scores_equal_measures_and_pandas():
    table = with_heat(made(), "b")
    table.loc[:9, "call:a"] = NAN
    table.loc[5:15, "label:b"] = NAN
    found = score(table)
    for name, measure in MEASURES.items():
        assert found[name] == pytest.approx(measure.of(table), abs=1e-12)
    for metric, column in HEAT.items():
        assert found["per_class"]["b"][metric] == pytest.approx(table[f"{column}:b"].mean(), abs=1e-12)
        assert found[metric] == found["per_class"]["b"][metric]
        assert metric not in found["per_class"]["a"]
    assert found["per_class"]["b"]["outlined"] == 17
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_measures_of_resampled_sums_are_scores_of_resampled_tables():
    table = with_heat(made(), "a", "b")
    counts = np.random.default_rng(2).integers(0, 3, (5, len(table)))
    for name, measure in MEASURES.items():
        resampled = measure.of_sums(counts @ measure.terms(table))
        for draw, times in enumerate(counts):
            again = table.iloc[np.repeat(np.arange(len(table)), times)]
            assert resampled[draw] == pytest.approx(score(again)[name], abs=1e-12)


def test_without_heat_maps_and_without_thresholds():
    table = made()
    assert not set(score(table)) & set(HEAT)
    assert np.isnan(MEASURES["pointing_game"].of(table))
    found = score(table.assign(**{"call:a": NAN, "call:b": NAN}))
    assert (found["macro_f1"], found["macro_accuracy"]) == (None, None)
    assert found["macro_auroc"] is not None
    empty = with_heat(table, "a").assign(**{"pointing:a": NAN})
    assert score(empty)["pointing_game"] is None


def test_what_is_no_table():
    table = with_heat(made(), "a")
    assert fault(table) is None
    for wrong, said in (
        (table.drop(columns="call:a"), "score and call columns are not of the same classes"),
        (table.drop(columns="label:a"), "score and label columns"),
        (table.assign(**{"call:a": 0.5}), "a call is neither 0 nor 1"),
        (table.assign(**{"call:a": "x"}), "a call is not a number"),
        (table.assign(**{"pointing:c": 0.5}), "of classes that it does not score"),
        (table.assign(**{"heat_cnr:a": "x"}), "a value of heat_cnr is not a number"),
    ):
        assert said in fault(wrong)

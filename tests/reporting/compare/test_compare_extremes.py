"""Predictions that no resampling of the test cases changes: perfect, reversed and constant ones."""

from __future__ import annotations

import pytest
from compared_stores import TENTH, WHOLE, compared, only
from made_stores import made_store

SCORES = {
    "perfect": lambda label: label,
    "perfect too": lambda label: 7 * label,
    "reversed": lambda label: -label,
    "constant": lambda label: 0 * label + 0.25,
    "constant too": lambda label: 0 * label - 3,
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Stores of 60 patients in which a case's score is a function of its label alone."""

    def edit_with(score):
        def edit(cell, table):
            names = [name for name in table.columns if name.startswith("score:")]
            return table.assign(**{name: score(table[name.replace("score:", "label:")]) for name in names})

        return edit

    return {
        name: made_store(
            tmp_path_factory.mktemp("store"), {"mrm": 0}, keep=only(TENTH, WHOLE), edit=edit_with(score), patients=60
        )
        for name, score in SCORES.items()
    }


@pytest.mark.parametrize("margin", [0.01, 0.0])
@pytest.mark.parametrize(
    ("base", "head", "value", "verdict"),
    [
        ("perfect", "reversed", -1.0, "regressed"),
        ("reversed", "perfect", +1.0, "improved"),
        ("perfect", "constant", -0.5, "regressed"),
        ("constant", "perfect", +0.5, "improved"),
        ("constant", "reversed", -0.5, "regressed"),
        ("perfect", "perfect too", 0.0, "same"),
        ("constant", "constant too", 0.0, "same"),
    ],
)
def test_they_are_told_apart_though_the_bootstrap_sees_no_variance(stores, base, head, value, verdict, margin):
    rows = compared(stores[base], stores[head], margin=margin).rows
    assert len(rows) == 2
    for row in rows:
        assert (row.verdict, row.difference.value) == (verdict, value)
        assert (row.difference.se > 0) == (value != 0)

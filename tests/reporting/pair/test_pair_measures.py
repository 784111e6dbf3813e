"""The tests of a pair where the score follows from sums: every exchange written out, and the command."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from measured_stores import SUITE, measured_store, suite_of
from scores_by_hand import by_hand, columns_of

from benchx.reporting.building.leaderboard import Rules
from benchx.reporting.pair.columns import compare_pair

RULES = Rules(replicates=200)
NEAR = {"mrm": 0.55, "gloria": 0.5}
FEW = 8
"""Patients, whose 2^8 exchanges are fewer than the permutations that a test looks at."""
PRIMARIES = {"segmentation": "dice", "retrieval": "i2t_recall_at_10", "report_generation": "bleu_4",
             "classification": "f1"}  # fmt: skip


def of_tasks(*tasks):
    return lambda cell: cell.task in tasks and cell.dataset != "siim"


def first_patients(_, table):
    return table[table["cluster"] < f"p{FEW:03d}"]


def pairs_of(suite, store):
    found = compare_pair(suite, [store], "mrm", "gloria", RULES, lambda done, total: None)
    return {one.task: one for one in found.columns}


def rows_of(column):
    return {one.test: one for one in column.tests}


def tables_of(store, task):
    """By method the tables of a task's draws, by seed, cases in one order."""
    found = sorted((one for one in store.records() if one.cell["task"] == task), key=lambda one: one.cell["seed"] or 0)
    return {
        method: [
            store.predictions(one.key).sort_values("sample", ignore_index=True)
            for one in found
            if one.cell["method"] == method
        ]
        for method in NEAR
    }


def exchanged(primary, tables, patterns):
    """The differences of the two methods, where a pattern says of every patient whether the two are exchanged."""
    a, b = ([columns_of(table) for table in tables[method]] for method in NEAR)
    member = np.unique(tables["mrm"][0]["cluster"], return_inverse=True)[1]
    found = []
    for pattern in patterns:
        swap = np.asarray(pattern, bool)[member]
        one = [by_hand(primary, {k: np.where(swap, y[k], x[k]) for k in x}) for x, y in zip(a, b, strict=True)]
        other = [by_hand(primary, {k: np.where(swap, x[k], y[k]) for k in x}) for x, y in zip(a, b, strict=True)]
        found.append(np.mean(one) - np.mean(other))
    return np.array(found)


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return suite_of(tmp_path_factory.mktemp("suite"))


@pytest.mark.parametrize("task", list(PRIMARIES))
def test_with_few_patients_a_permutation_counts_every_exchange(tmp_path, suite, task):
    store = measured_store(tmp_path, suite, skills=NEAR, keep=of_tasks(task), edit=first_patients)
    column = pairs_of(suite, store)[task]
    row = rows_of(column)["permutation"]
    all_of_them = exchanged(PRIMARIES[task], tables_of(store, task), itertools.product((0, 1), repeat=FEW))
    observed = all_of_them[0]
    assert row.difference == pytest.approx(observed, abs=1e-12)
    assert row.p_value == pytest.approx(np.mean(np.abs(all_of_them) >= abs(observed) - 1e-12), abs=1e-12)
    assert row.n <= FEW
    assert row.smallest_p == 2.0 ** (1 - row.n)
    assert column.metric == PRIMARIES[task]


def test_pixels_pooled_over_images_are_exchanged_too(tmp_path):
    pooled = suite_of(tmp_path, SUITE.replace("primary: dice", "primary: mdice"))
    store = measured_store(tmp_path / "store", pooled, skills=NEAR, keep=of_tasks("segmentation"), edit=first_patients)
    rows = rows_of(pairs_of(pooled, store)["segmentation"])
    all_of_them = exchanged("mdice", tables_of(store, "segmentation"), itertools.product((0, 1), repeat=FEW))
    assert rows["permutation"].p_value == pytest.approx(
        np.mean(np.abs(all_of_them) >= abs(all_of_them[0]) - 1e-12), abs=1e-12
    )
    assert rows["Wilcoxon"].reason == "the score is no mean over cases"


@pytest.mark.parametrize("task", ["segmentation", "report_generation"])
def test_with_many_patients_a_permutation_draws_exchanges(tmp_path, suite, task):
    """2000 draws here and there: p differs by at most four of its standard errors."""
    store = measured_store(tmp_path, suite, skills={"mrm": 0.52, "gloria": 0.5}, keep=of_tasks(task))
    row = rows_of(pairs_of(suite, store)[task])["permutation"]
    patterns = np.random.default_rng(3).integers(0, 2, (2000, 40))
    tables = tables_of(store, task)
    observed = exchanged(PRIMARIES[task], tables, [np.zeros(40)])[0]
    drawn = exchanged(PRIMARIES[task], tables, patterns)
    expected = (1 + np.sum(np.abs(drawn) >= abs(observed) - 1e-12)) / 2001
    assert 30 < row.n <= 40
    assert row.difference == pytest.approx(observed, abs=1e-12)
    assert row.p_value == pytest.approx(expected, abs=4 * np.sqrt(2 * expected * (1 - expected) / 2000) + 1e-3)
    assert 0.002 < expected < 0.998
    assert row.smallest_p == pytest.approx(1 / 2001)


def test_exchanges_are_of_the_draws_that_both_have(tmp_path, suite):
    def keep(cell):
        return of_tasks("segmentation")(cell) and (cell.method, cell.seed) != ("gloria", 1)

    store = measured_store(tmp_path, suite, skills=NEAR, keep=keep, edit=first_patients)
    row = rows_of(pairs_of(suite, store)["segmentation"])["permutation"]
    tables = {method: some[:1] for method, some in tables_of(store, "segmentation").items()}
    all_of_them = exchanged("dice", tables, itertools.product((0, 1), repeat=FEW))
    assert row.difference == pytest.approx(all_of_them[0], abs=1e-12)
    assert row.p_value == pytest.approx(np.mean(np.abs(all_of_them) >= abs(all_of_them[0]) - 1e-12), abs=1e-12)
    assert "of draws 0 only" in row.basis


def test_no_draw_in_common_leaves_the_tests_that_need_none(tmp_path, suite):
    def keep(cell):
        return of_tasks("segmentation")(cell) and cell.seed == (0 if cell.method == "mrm" else 1)

    store = measured_store(tmp_path, suite, skills=NEAR, keep=keep)
    rows = rows_of(pairs_of(suite, store)["segmentation"])
    assert rows["permutation"].reason == "no draw in common, and exchanges are made draw by draw"
    assert all(rows[name].p_value is not None for name in ("t (the board's)", "percentile", "BCa"))


@pytest.mark.parametrize("task", list(PRIMARIES))
def test_two_methods_that_do_the_same_are_not_tested(tmp_path, suite, task):
    told = {}

    def alike(cell, table):
        return told.setdefault((cell.dataset, cell.task, cell.seed), table)

    store = measured_store(tmp_path, suite, skills=NEAR, keep=of_tasks(task), edit=alike)
    rows = rows_of(pairs_of(suite, store)[task])
    for name in ("t (the board's)", "percentile", "BCa", "permutation"):
        assert rows[name].p_value is None, name
        assert rows[name].reason == "both methods do the same on all cases"
    assert rows["Wilcoxon"].p_value is None


def test_the_command_tests_every_task_by_its_own_metric(tmp_path, suite, benchx):
    store = measured_store(tmp_path / "store", suite, skills=NEAR)
    file = suite_of(tmp_path) and tmp_path / "tasks.yaml"
    arguments = ("pair", "mrm", "gloria", "--suite", file, "--store", store.path)
    code, out, err = benchx(*arguments, "--margin", 0.05, "--json")
    assert (code, err) == (0, "")

    def refuse(name):
        raise AssertionError(f"{name} in JSON")

    columns = json.loads(out, parse_constant=refuse)["columns"]
    assert {(one["task"], one["metric"]) for one in columns} == {
        *PRIMARIES.items(), ("classification", "macro_auroc"), ("zero_shot", "macro_auroc"),
        ("few_shot", "macro_auroc_at_16"), ("vqa", "accuracy"),
    }  # fmt: skip
    measured = ["t (the board's)", "percentile", "BCa", "permutation", "Wilcoxon", "equivalence (TOST)"]
    for one in columns:
        names = [row["test"] for row in one["tests"]]
        if one["metric"] == "macro_auroc":
            assert {"DeLong (Obuchowski)", "McNemar", "stratified percentile"} < set(names)
        else:
            assert names == measured
        for row in one["tests"]:
            assert (row["p_value"] is None) == bool(row["reason"]), row
    code, out, _ = benchx(*arguments, "--dataset", "mimic-cxr")
    assert code == 0
    assert "mimic-cxr / report_generation / generate / 100 %: bleu_4 mrm" in out
    assert "mimic-cxr / retrieval / retrieve / 100 %: i2t_recall_at_10 mrm" in out
    assert "auroc" not in out.lower()
    assert "DeLong" not in out

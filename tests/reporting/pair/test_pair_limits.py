"""`benchx pair` where a test cannot be made or needs a choice: McNemar of calls, no variance, few patients, draws."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_stores import made_store, predictions, record
from paired_stores import (
    FEW,
    SKILLS,
    SUITE,
    column_of,
    compared,
    draws_of,
    one_column,
    reasons,
    rows_of,
    stacked,
)
from sklearn.metrics import roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from benchx.planning import plan
from benchx.reporting.pair.columns import compare_pair
from benchx.results.store import Store
from benchx.statistics.paired_tests import mcnemar
from benchx.tasks.predictions import scores_and_labels


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made_store(tmp_path_factory.mktemp("pair"), SKILLS, patients=80, spread=0.02)


def with_thresholds(path, images: int, threshold: float = 0.3, unit="patient"):
    """A store whose records hold the same threshold for every class of nih, both methods, all labels."""
    store = Store(path)
    for cell in plan(SUITE, ["mrm", "gloria"]):
        if one_column(cell, "nih", 1.0):
            table = predictions(cell, {"mrm": 2.5, "gloria": 0.0}[cell.method], 120, images, 0)
            done = record(cell, table, {"unit": unit})
            classes = cell.settings["classes"]
            thresholds = {name: {"0.9": threshold, "0.95": threshold} for name in classes[1:]}  # the first has none
            fold = {"fold": 0, "untrained_classes": [], "thresholds": thresholds}
            store.put(done.model_copy(update={"details": {"folds": [fold]}}), table)
    return store


def rights(store, threshold=0.3):
    tables = [draws_of(store, name, "nih", 1.0)[0] for name in ("mrm", "gloria")]
    classes = scores_and_labels(tables[0])[2][1:]
    return tables[0]["cluster"].tolist(), [
        [(table[f"score:{name}"] > threshold).to_numpy() == table[f"label:{name}"].to_numpy() for table in tables]
        for name in classes
    ]


def test_mcnemar_of_images_is_that_of_statsmodels_with_its_holm(tmp_path):
    store = with_thresholds(tmp_path, images=1, unit="image")
    _, per_class = rights(store)
    exact = []
    for a, b in per_class:
        counts = [[np.sum(a & b), np.sum(a & ~b)], [np.sum(~a & b), np.sum(~a & ~b)]]
        exact.append(statsmodels_mcnemar(np.array(counts), exact=True).pvalue)
    found = rows_of(column_of(store))["McNemar"]
    least = int(np.argmin(exact))
    assert found.p_value == pytest.approx(multipletests(exact, method="holm")[1].min(), rel=1e-9)
    a, b = per_class[least]
    assert found.difference == pytest.approx(a.mean() - b.mean())
    assert found.n == int((a != b).sum())
    assert found.smallest_p == pytest.approx(min(1, len(exact) * 2.0 ** (1 - found.n)))
    assert f"smallest of {len(exact)} classes (Holm); exact" in found.basis


def test_mcnemar_of_patients_with_several_images_is_clustered(tmp_path):
    store = with_thresholds(tmp_path, images=3)
    clusters, per_class = rights(store)
    each = [mcnemar(a, b, clusters) for a, b in per_class]
    found = rows_of(column_of(store))["McNemar"]
    assert found.p_value == pytest.approx(multipletests([one.p_value for one in each], method="holm")[1].min())
    assert "clustered by patient, asymptotic" in found.basis


def test_mcnemar_says_when_calls_never_differ(tmp_path):
    store = with_thresholds(tmp_path, images=1, threshold=1e9)
    assert reasons(store)["McNemar"] == "both are right and wrong on the same cases"


def scores_of(table):
    return [name for name in table.columns if name.startswith("score:")]


def labels_of(table):
    return [name for name in table.columns if name.startswith("label:")]


UNVARYING = ("t (the board's)", "percentile", "BCa", "stratified percentile", "DeLong (Obuchowski)")


@pytest.mark.parametrize("case", ["constant", "alike", "separated"])
def test_a_difference_without_variance_says_why(tmp_path, case):
    def edit(cell, table):
        names = scores_of(table)
        if case == "constant":
            return table.assign(**{name: np.float32(0) for name in names})
        if case == "alike":
            same = predictions(dataclasses.replace(cell, method="mrm"), 1.0, 60, 2, 0.1)
            return same.assign(**{name: same[name] * (2 if cell.method == "mrm" else 1) for name in names})
        sign = 1 if cell.method == "mrm" else -1
        return table.assign(
            **{name: np.float32(sign) * table[name.replace("score:", "label:")].astype(np.float32) for name in names}
        )

    found = reasons(made_store(tmp_path, {"mrm": 1.0, "gloria": 1.0}, keep=one_column, edit=edit))
    expected = {
        "constant": "constant predictions",
        "alike": "both methods rank all cases alike",
        "separated": "the difference does not vary over patients",
    }[case]
    # The board's rule gives a class without a mistake the variance of one, so two such methods can be compared by it.
    by_rule = {"t (the board's)", "equivalence (TOST)"}
    assert {found[name] for name in by_rule} == {"" if case == "separated" else expected}
    assert {found[name] for name in set(UNVARYING) - by_rule} == {expected}
    assert found["permutation"] == ("" if case == "separated" else expected)
    assert found["McNemar"] == "no thresholds stored"


def test_a_class_whose_positives_are_of_one_patient_has_no_delong(tmp_path):
    def edit(cell, table):
        return table.assign(**{"label:Pneumonia": (table["cluster"] == "p0003").astype(np.float32)})

    column = column_of(made_store(tmp_path, {"mrm": 2.0, "gloria": 0.5}, keep=one_column, edit=edit))
    found = rows_of(column)
    assert found["DeLong (Obuchowski)"].reason == "Pneumonia: all positives in one patient"
    for name in ("t (the board's)", "percentile", "BCa", "stratified percentile", "permutation"):
        assert found[name].reason == "", found[name]
    assert "within 2 strata by Pneumonia" in found["stratified percentile"].basis


def test_rare_classes_beyond_the_strata_say_so(tmp_path):
    """Fourteen classes of one positive patient each make more strata than one in ten of 60 patients."""

    def edit(cell, table):
        names = labels_of(table)
        return table.assign(
            **{name: (table["cluster"] == f"p{number:04d}").astype(np.float32) for number, name in enumerate(names)}
        )

    found = reasons(
        made_store(tmp_path, {"mrm": 2.0, "gloria": 0.5}, keep=lambda cell: one_column(cell, "nih"), edit=edit)
    )
    assert found["stratified percentile"] == "most replicates lack a value of a class that makes no strata"


def test_two_patients_leave_no_jackknife_and_no_strata(tmp_path):
    def edit(cell, table):
        return table.assign(**{"label:Pneumonia": (table["cluster"] == "p0001").astype(np.float32)})

    found = reasons(made_store(tmp_path, {"mrm": 1.0, "gloria": 0.5}, patients=2, images=8, keep=one_column, edit=edit))
    assert found["BCa"] == "a class has no value left without one patient: no jackknife"
    assert found["stratified percentile"] == "2 patients are too few for strata by even the rarest class"
    assert found["DeLong (Obuchowski)"].startswith("Pneumonia: all ")


def seeds(of_a, of_b):
    return lambda cell: one_column(cell) and cell.seed in {"mrm": of_a, "gloria": of_b}[cell.method]


def test_methods_without_a_draw_in_common_are_not_exchanged(tmp_path):
    found = reasons(made_store(tmp_path, {"mrm": 1.0, "gloria": 0.5}, keep=seeds({0, 1}, {2})))
    assert found["permutation"] == "no draw in common, and exchanges are made draw by draw"
    assert found["McNemar"] == "no draw in common"
    assert not any(found[name] for name in UNVARYING)


def test_only_common_draws_are_exchanged_and_the_row_says_which(tmp_path):
    store = made_store(tmp_path, {"mrm": 1.0, "gloria": 0.5}, keep=seeds({0, 1}, {1, 2}))
    found = rows_of(column_of(store))["permutation"]
    assert "of draws 1 only" in found.basis
    (a, labels), (b, _) = (stacked(draws_of(store, name)) for name in ("mrm", "gloria"))
    assert found.difference == pytest.approx(roc_auc_score(labels, a[1]) - roc_auc_score(labels, b[0]), abs=1e-12)


def test_a_column_that_one_lacks_is_listed(tmp_path):
    lacking = made_store(tmp_path, SKILLS, keep=lambda cell: cell.fraction == 1 and (cell.method, cell.dataset) != (
        "gloria",
        "rsna",
    ))  # fmt: skip
    found = compared(lacking)
    assert [one.dataset for one in found.columns] == ["nih"]
    assert "rsna / classification / frozen / 100 %: gloria: not run" in found.left_out
    assert len(found.left_out) == 5  # and four columns that nobody has


def test_only_named_datasets_are_compared_and_progress_counts_tests(store):
    told = []
    found = compare_pair(SUITE, [store], "mrm", "gloria", FEW, lambda *step: told.append(step), ["rsna"])
    assert {one.dataset for one in found.columns} == {"rsna"}
    assert told == [(number, 3 * 8) for number in range(3 * 8 + 1)]


def test_large_test_sets_get_fewer_permutations(store, monkeypatch):
    from benchx.reporting.pair import tests as pair_tests

    monkeypatch.setattr(pair_tests, "_MOST_WORK", 1)
    one = rows_of(compared(store, datasets=["rsna"]).columns[0])["permutation"]
    assert one.smallest_p == 1 / 501
    assert "at most 500" in one.basis

"""Two stores compared: what is paired with what, what is refused, and that the numbers follow from the predictions."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import replace

import numpy as np
import pytest
from compared_stores import SUITE, TENTH, WHOLE, compared, only, rows_of, unfinished
from made_stores import made_store, predictions
from sklearn.metrics import roc_auc_score

from benchx.errors import StoreError
from benchx.planning import plan
from benchx.reporting.compare import stores as regression
from benchx.reporting.compare.comparison import fails, judged_by
from benchx.results.store import Store
from benchx.tasks.predictions import scores_and_labels


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return made_store(tmp_path_factory.mktemp("base"), {"mrm": 1.5, "gloria": 0.6}, keep=only(TENTH, WHOLE))


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    """The same suite: one method worse, the other with identical predictions."""
    return made_store(tmp_path_factory.mktemp("head"), {"mrm": 0.9, "gloria": 0.6}, keep=only(TENTH, WHOLE))


def test_a_store_is_the_same_as_itself(base):
    found = compared(base, base)
    assert found.counts() == {"same": 4}
    assert found.tests == 0
    for row in found.rows:
        assert row.identical
        assert row.base == row.head
        assert row.notes == ()
        assert not fails(row, "any")


def test_a_worse_method_has_regressed_and_an_unchanged_one_is_no_test(base, head):
    found = compared(base, head)
    assert found.counts() == {"regressed": 2, "same": 2}
    assert found.tests == 2
    assert [row.verdict for row in found.rows] == ["regressed", "regressed", "same", "same"]
    assert {row.name.method for row in found.rows if row.verdict == "regressed"} == {"mrm"}


def test_differences_are_those_of_scikit_learn(base, head):
    for (method, fraction), row in rows_of(compared(base, head)).items():
        means = []
        for store in (base, head):
            done = [one for one in store.records() if (one.cell["method"], one.cell["fraction"]) == (method, fraction)]
            scored = [scores_and_labels(store.predictions(one.key)) for one in done]
            means.append(np.mean([roc_auc_score(labels, scores, average="macro") for scores, labels, _ in scored]))
            assert len(done) == len(row.draws) == (3 if fraction == TENTH else 1)
        assert (row.base, row.head) == pytest.approx(means, abs=1e-12)
        if row.difference is not None:
            assert row.difference.value == pytest.approx(means[1] - means[0], abs=1e-12)
            assert (row.difference.draw_variance is None) == (fraction == WHOLE)


def test_the_interval_is_the_paired_bootstrap_over_patients(base, head):
    """An independent bootstrap: scikit-learn in a loop over resampled patients, both sides on the same ones."""
    row = rows_of(compared(base, head))["mrm", WHOLE]
    tables = []
    for store in (base, head):
        (key,) = (one.key for one in store.records() if (one.cell["method"], one.cell["fraction"]) == ("mrm", WHOLE))
        tables.append(store.predictions(key).sort_values("sample", ignore_index=True))
    cases = tables[0].groupby("cluster").indices
    patients, rng, differences = list(cases), np.random.default_rng(7), []
    (before, labels, _), (after, _, _) = map(scores_and_labels, tables)
    for _ in range(400):
        drawn = np.concatenate([cases[patients[one]] for one in rng.integers(0, len(patients), len(patients))])
        if all(0 < column.sum() < len(drawn) for column in labels[drawn].T):
            scores = [roc_auc_score(labels[drawn], one[drawn], average="macro") for one in (after, before)]
            differences.append(scores[0] - scores[1])
    assert row.difference.se == pytest.approx(np.std(differences, ddof=1), rel=0.15)  # its own error is 3.5 %


def test_swapped_stores_give_mirrored_verdicts(base, head):
    there, back = rows_of(compared(base, head)), rows_of(compared(head, base))
    mirror = {"improved": "regressed", "regressed": "improved", "same": "same"}
    for key, row in there.items():
        assert back[key].verdict == mirror[row.verdict]
        if row.difference is not None:
            assert back[key].difference.value == -row.difference.value
            assert back[key].difference.se == row.difference.se
            assert back[key].p_different == row.p_different


def test_rounding_noise_is_the_same_and_not_identical(base, tmp_path):
    def nudge(cell, table):
        scores = [name for name in table.columns if name.startswith("score:")]
        table[scores] = table[scores] + np.random.default_rng(0).normal(0, 1e-4, table[scores].shape)
        return table.astype({name: np.float32 for name in scores})

    near = made_store(tmp_path, {"mrm": 1.5}, keep=only(WHOLE), edit=nudge)
    row = rows_of(compared(base, near))["mrm", WHOLE]
    assert row.verdict == "same"
    assert not row.identical
    assert row.difference.low < 0 < row.difference.high or row.difference.se == 0


def test_a_difference_without_any_error_is_not_called_the_same(base, head, monkeypatch):
    """No predictions are known that give one; were there some, nothing would have tested it."""
    measured = regression.measure

    def without_error(*arguments):
        row = measured(*arguments)
        return replace(row, difference=row.difference and replace(row.difference, value=-0.1, se=0.0, p_value=1.0))

    monkeypatch.setattr(regression, "measure", without_error)
    for margin in (0.01, 0.0):
        row = rows_of(compared(base, head, margin=margin))["mrm", WHOLE]
        assert row.verdict == "inconclusive"
        assert "nothing tests it" in row.reason


def test_an_undecided_cell_says_what_would_do(base, tmp_path):
    def other_noise(cell, table):
        return predictions(dataclasses.replace(cell, method="gloria"), 1.5, 60, 2, 0.1)

    near = made_store(tmp_path, {"mrm": 1.5}, keep=only(TENTH, WHOLE), edit=other_noise)
    rows = rows_of(compared(base, near))
    for fraction in (TENTH, WHOLE):
        row = rows["mrm", fraction]
        assert row.verdict == "inconclusive"
        assert re.search(r"^about [\d,]+ test patients would find a difference of 0\.01|draws", row.reason)
        assert fails(row, "any")
        assert not fails(row, "regression")
    asked = int(rows["mrm", WHOLE].reason.split()[1].replace(",", ""))
    assert asked > 60


# --- draws


def test_only_shared_draws_are_compared(base, tmp_path):
    fewer = made_store(tmp_path, {"mrm": 0.9}, keep=only(TENTH, seeds=(0, 2)))
    row = rows_of(compared(base, fewer))["mrm", TENTH]
    assert row.draws == ("0", "2")
    assert row.notes == ("only BASE has draw 1, left out",)
    assert row.lost == ("1",)
    assert row.difference.draws == 2


def test_a_draw_that_a_killed_job_never_wrote_fails_any(base, tmp_path):
    fewer = made_store(tmp_path, {"mrm": 1.5}, keep=only(TENTH, seeds=(0, 2)))
    found = compared(base, fewer)
    row = rows_of(found)["mrm", TENTH]
    assert (row.verdict, row.identical) == ("same", True)
    assert not fails(row, "regression")
    row = rows_of(judged_by(found, "any"))["mrm", TENTH]
    assert (row.verdict, row.reason) == ("missing", "same on the draws that both have")
    assert row.notes == ("only BASE has draw 1, left out",)
    assert fails(row, "any")
    more = rows_of(compared(fewer, base))["mrm", TENTH]
    assert (more.lost, more.notes) == ((), ("only HEAD has draw 1, left out",))
    assert not fails(more, "any")


def test_one_draw_leaves_the_draw_part_out_and_says_so(base, tmp_path):
    one = made_store(tmp_path, {"mrm": 0.9}, keep=only(TENTH, seeds=(1,)))
    row = rows_of(compared(base, one))["mrm", TENTH]
    assert row.draws == ("1",)
    assert "one draw (1): the interval covers the test cases only" in row.notes
    assert row.difference.draw_variance is None


def test_draws_in_one_store_only_are_independent(tmp_path):
    suites = [SUITE.model_copy(update={"seeds": seeds}) for seeds in ((0, 1, 2), (7, 8, 9), (7,))]
    stores = [
        made_store(tmp_path / str(number), {"mrm": skill}, suite=suite, keep=only(TENTH))
        for number, (suite, skill) in enumerate(zip(suites, (1.5, 0.5, 0.5), strict=True))
    ]
    (row,) = compared(stores[0], stores[1]).rows
    assert row.verdict == "regressed"
    assert row.draws == row.lost == ()
    assert row.notes == ("no draw in common: BASE has 0, 1, 2, HEAD has 7, 8, 9",)
    (row,) = compared(stores[0], stores[2]).rows
    assert row.verdict == "inconclusive"
    assert "run the same seeds" in row.reason


def test_results_of_an_older_method_in_the_same_store_are_left_out(base, tmp_path):
    store = made_store(tmp_path, {"mrm": 0.2}, keep=only(WHOLE), provenance={"weights": "0" * 64})
    newer = {"created": "2026-02-01T00:00:00+00:00"}
    made_store(tmp_path, {"mrm": 1.5}, keep=only(WHOLE), provenance=newer)
    row = rows_of(compared(base, store))["mrm", WHOLE]
    assert row.identical
    assert row.notes == ("1 older results in HEAD are left out",)


def test_other_weights_are_compared_and_named(base, tmp_path):
    store = made_store(tmp_path, {"mrm": 0.9}, keep=only(WHOLE), provenance={"weights": "0" * 64})
    assert rows_of(compared(base, store))["mrm", WHOLE].notes == ("other weights",)


# --- missing and new


def test_missing_new_and_failed_cells(base, tmp_path):
    store = made_store(tmp_path, {"mrm": 1.5, "refers": 1}, keep=only(TENTH, methods=("mrm", "refers"), seeds=(0, 1)))
    (whole,) = (cell for cell in plan(SUITE, ["mrm"]) if cell.fraction == WHOLE and cell.dataset == "rsna")
    gloria = [cell for cell in plan(SUITE, ["gloria"]) if cell.fraction == TENTH and cell.dataset == "rsna"]
    unfinished(store, whole, "failed", "out of\nmemory " + "x" * 500)
    unfinished(store, gloria[0], "data-missing", "no root")
    rows = rows_of(compared(base, store))
    assert {key: row.verdict for key, row in rows.items()} == {
        ("mrm", TENTH): "same",
        ("mrm", WHOLE): "missing",
        ("gloria", TENTH): "missing",
        ("gloria", WHOLE): "missing",
        ("refers", TENTH): "new",
    }
    assert rows["mrm", WHOLE].reason.startswith("deterministic: failed: out of memory xxx")
    assert len(rows["mrm", WHOLE].reason) == 300
    assert rows["gloria", TENTH].reason == "0: data-missing: no root"
    assert rows["gloria", WHOLE].reason == "HEAD has no result"
    assert [key for key, row in rows.items() if fails(row, "regression")] == [("mrm", WHOLE)]
    assert rows["mrm", TENTH].lost == ("2",)
    assert sum(fails(row, "any") for row in rows.values()) == 4
    assert rows["refers", TENTH].base is None
    assert rows["mrm", WHOLE].head is None


@pytest.mark.parametrize("state", ["failed", "not-applicable"])
def test_a_single_draw_that_failed_in_head_makes_its_cell_missing(base, tmp_path, state):
    store = made_store(tmp_path, {"mrm": 1.5}, keep=only(TENTH, seeds=(0, 1)))
    last = [cell for cell in plan(SUITE, ["mrm"]) if cell.fraction == TENTH and cell.dataset == "rsna"][2]
    unfinished(store, last, state, "NaN loss")
    row = rows_of(compared(base, store))["mrm", TENTH]
    assert (row.verdict, row.reason) == ("missing", f"2: {state}: NaN loss")
    assert fails(row, "regression")


def test_what_neither_finished_is_no_row(tmp_path):
    cells = [cell for cell in plan(SUITE, ["mrm"]) if cell.dataset == "rsna" and cell.fraction == TENTH]
    stores = [made_store(tmp_path / name, {"mrm": 1}, keep=only(WHOLE)) for name in ("left", "right")]
    for store in stores:
        unfinished(store, cells[0], "failed", "out of memory")
    assert [row.name.fraction for row in compared(*stores).rows] == [WHOLE]


def test_a_cell_that_failed_in_base_is_new(tmp_path):
    cells = [cell for cell in plan(SUITE, ["mrm"]) if cell.dataset == "rsna" and cell.fraction == TENTH]
    left = made_store(tmp_path / "left", {"mrm": 1}, keep=only(WHOLE))
    unfinished(left, cells[0], "failed", "out of memory")
    right = made_store(tmp_path / "right", {"mrm": 1}, keep=only(TENTH, WHOLE))
    assert rows_of(compared(left, right))["mrm", TENTH].verdict == "new"


def test_a_suite_narrows(tmp_path):
    other = SUITE.model_copy(update={"name": "other", "short_side": 200})
    for name in ("left", "right"):
        for suite in (SUITE, other):
            made_store(tmp_path / name, {"mrm": 1}, suite=suite, keep=only(WHOLE))
    stores = Store(tmp_path / "left"), Store(tmp_path / "right")
    assert {row.name.suite for row in compared(*stores).rows} == {"phantom", "other"}
    assert {row.name.suite for row in compared(*stores, suite="phantom").rows} == {"phantom"}


def test_a_result_that_another_suite_was_first_to_ask_for_is_the_same_cell(base, tmp_path):
    """Suite and protocol names are no part of a key, so such a cell is not run again under its other name."""
    rsna = SUITE.datasets["rsna"]
    asked = rsna.tasks["classification"].model_copy(update={"protocols": ("probe",)})
    other = SUITE.model_copy(
        update={
            "name": "other",
            "protocols": {"probe": SUITE.protocols["frozen"]},
            "datasets": {"rsna": rsna.model_copy(update={"tasks": {"classification": asked}})},
        }
    )
    store = made_store(tmp_path, {"mrm": 0.9, "gloria": 0.6}, suite=other, keep=only(TENTH, WHOLE))
    rows = compared(base, store, suite="phantom").rows
    assert len(rows) == 4
    assert {(row.name.suite, row.name.protocol) for row in rows} == {("phantom", "frozen")}
    assert not {row.verdict for row in rows} & {"missing", "new"}


# --- one patient, a cache that cannot be written, damaged files, cost


def test_one_patient_gives_no_interval_and_stops_nothing(tmp_path):
    sizes = {"patients": 1, "images": 40, "keep": only(TENTH, WHOLE)}
    left = made_store(tmp_path / "left", {"mrm": 1.5}, **sizes)
    right = made_store(tmp_path / "right", {"mrm": 0.5}, **sizes)
    for row in compared(left, right).rows:
        assert row.verdict == "inconclusive"
        assert row.reason == "all 40 test cases are of one patient: no interval"
    assert compared(left, left).counts() == {"same": 2}


def test_a_store_that_cannot_be_written_is_compared(base, tmp_path):
    store = made_store(tmp_path, {"mrm": 0.9}, keep=only(WHOLE))
    store.cache.write_text("a file where the folder would be")
    assert rows_of(compared(base, store))["mrm", WHOLE].verdict == "regressed"


def test_replicates_are_kept_and_give_the_same(base, tmp_path):
    store = made_store(tmp_path, {"mrm": 0.9}, keep=only(WHOLE))
    first = compared(base, store)
    assert len(list((store.cache / "appraisals").glob("*.npz"))) == 1
    assert compared(base, store) == first


def test_truncated_predictions_are_named(base, tmp_path):
    store = made_store(tmp_path, {"mrm": 0.9}, keep=only(WHOLE))
    (file,) = store.cells.glob("*/predictions.parquet")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(StoreError, match=r"predictions\.parquet cannot be read"):
        compared(base, store)


def test_a_recorded_score_that_its_predictions_do_not_give_is_noted(base, tmp_path):
    store = made_store(tmp_path, {"mrm": 1.5}, keep=only(WHOLE))
    (done,) = store.records()
    store.put(done.model_copy(update={"scores": done.scores | {"macro_auroc": 0.99}}), store.predictions(done.key))
    row = rows_of(compared(base, store))["mrm", WHOLE]
    assert row.verdict == "same"
    right = done.scores["macro_auroc"]
    assert row.notes == (f"HEAD: {done.key[:12]} (mrm) records 0.9900, its predictions give {right:.4f}",)


@pytest.mark.parametrize(
    ("provenance", "slower", "larger", "comparable"),
    [
        ({}, False, False, True),
        ({"wall_seconds": 3.9}, True, False, True),
        ({"wall_seconds": 2.9}, False, False, True),  # half as long again, by less than a second
        ({"peak_memory_bytes": 13 * 10**8}, False, True, True),
        ({"peak_memory_bytes": 11 * 10**8}, False, False, True),
        ({"wall_seconds": 99.0, "device": "cuda"}, False, False, False),
        ({"wall_seconds": 99.0, "threads": 8}, False, False, False),
    ],
)
def test_cost_is_told_and_never_fails(base, tmp_path, provenance, slower, larger, comparable):
    store = made_store(tmp_path, {"mrm": 1.5}, keep=only(WHOLE), provenance=provenance)
    row = rows_of(compared(base, store))["mrm", WHOLE]
    assert (row.cost.slower, row.cost.larger, row.cost.comparable) == (slower, larger, comparable)
    assert row.verdict == "same"
    assert not fails(row, "any")


def test_rows_are_worst_first(base, head):
    rows = compared(base, head).rows
    assert fails(replace(rows[-1], broken=True), "regression")
    order = ["regressed", "missing", "inconclusive", "improved", "new", "same"]
    assert [row.verdict for row in rows] == sorted((row.verdict for row in rows), key=order.index)

"""Cells of a head-to-head against bootstraps in plain numpy, and what cannot be compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from answered_questions import store_of_questions, suite_of_questions
from contests import SUITE, bootstrapped, fought, quantile_error
from made_stores import made_store, record
from measured_stores import measured_store, suite_of
from paired_stores import draws_of
from scores_by_hand import by_hand, columns_of

from benchx.errors import StoreError
from benchx.planning import plan
from benchx.reporting.head_to_head.drawing import Column
from benchx.results.store import Store
from benchx.statistics.bootstrap import macro_auroc_replicates, percentile_interval
from benchx.statistics.multiplicity import holm
from benchx.statistics.resampling import draw_clusters
from benchx.statistics.win_tie_loss import verdict

PRIMARIES = {"segmentation": "dice", "retrieval": "i2t_recall_at_10", "report_generation": "bleu_4",
             "classification": "f1", "zero_shot": "macro_auroc"}  # fmt: skip


def of_rsna(cell):
    return cell.dataset == "rsna" and cell.fraction == 0.1


def only(found):
    (pair,) = found.pairs
    (cell,) = pair.cells
    return cell


@pytest.mark.parametrize("images", [1, 3])
def test_an_auroc_has_the_interval_of_a_plain_bootstrap(tmp_path, images):
    """Replicates of either lack no class here, and differ by chance: at most four Monte Carlo standard errors."""
    store = made_store(tmp_path, {"mrm": 1.4, "gloria": 1.1}, patients=60, images=images, keep=of_rsna)
    cell = only(fought(store, replicates=10_000))
    tables = {name: draws_of(store, name) for name in ("mrm", "gloria")}
    columns = [columns_of(table) for name in tables for table in tables[name]]
    signs = [sign / len(tables["mrm"]) for sign in (1, -1) for _ in tables["mrm"]]
    plain = bootstrapped(
        columns, signs, tables["mrm"][0]["cluster"].to_numpy(str), lambda one: by_hand("macro_auroc", one), 2000
    )
    error = quantile_error(plain, 10_000)
    low, high = np.quantile(plain, [0.025, 0.975])
    assert cell.difference == pytest.approx(
        sum(sign * by_hand("macro_auroc", one) for sign, one in zip(signs, columns, strict=True)), abs=1e-12
    )
    assert cell.low == pytest.approx(low, abs=4 * error)
    assert cell.high == pytest.approx(high, abs=4 * error)
    tail = min(np.mean(plain <= 0), np.mean(plain >= 0))
    assert cell.p_value / 2 == pytest.approx(tail, abs=4 * np.sqrt(max(tail, 1e-3) * 1.2 / 2000) + 1e-4)
    assert (cell.units, cell.cases, cell.unit) == (60, 60 * images, "patients")
    assert cell.adapted.draws == ("0", "1", "2")


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    suite = suite_of(folder)
    store = measured_store(folder / "store", suite, skills={"mrm": 0.58, "gloria": 0.5})
    return suite, store, fought(store, suite=suite, replicates=10_000)


@pytest.mark.parametrize("task", list(PRIMARIES))
def test_every_task_has_the_interval_of_a_plain_bootstrap_of_its_own_metric(tasks, task):
    _, store, found = tasks
    (cell,) = [one for one in found.pairs[0].cells if one.task == task and one.dataset != "siim"]
    tables = {
        name: [
            store.predictions(one.key)
            for one in store.records()
            if (one.cell["method"], one.cell["task"], one.cell["dataset"]) == (name, task, cell.dataset)
        ]
        for name in ("mrm", "gloria")
    }
    tables = {name: [one.sort_values("sample", ignore_index=True) for one in some] for name, some in tables.items()}
    columns = [columns_of(one) for some in tables.values() for one in some]
    signs = [sign / len(some) for sign, some in zip((1, -1), tables.values(), strict=True) for _ in some]
    clusters = tables["mrm"][0]["cluster"].to_numpy(str)
    plain = bootstrapped(columns, signs, clusters, lambda one: by_hand(PRIMARIES[task], one), 2000)
    error = quantile_error(plain, 10_000)
    assert cell.metric == PRIMARIES[task]
    assert [cell.low, cell.high] == pytest.approx(np.quantile(plain, [0.025, 0.975]), abs=4 * error + 1e-9)
    assert (cell.cases, cell.units) == (80, 23 if task == "classification" else 40)  # in F1 true negatives do not count


def test_kinds_and_clusters_give_one_interval(tasks, monkeypatch):
    """Retrieval has few kinds of answers and is drawn by them; drawn by patients its interval is the same."""
    suite, store, found = tasks
    by_kinds = next(one for one in found.pairs[0].cells if one.task == "retrieval")
    monkeypatch.setattr(Column, "_by_kinds", lambda self, measure, terms, member: None)
    by_patients = next(
        one for one in fought(store, suite=suite, replicates=10_000).pairs[0].cells if one.task == "retrieval"
    )
    spread = (by_patients.high - by_patients.low) / 3.92
    error = 4 * spread * np.sqrt(0.025 * 0.975 * 2 / 10_000) / 0.0584
    assert by_kinds.low == pytest.approx(by_patients.low, abs=error)
    assert by_kinds.high == pytest.approx(by_patients.high, abs=error)
    assert by_kinds.low != by_patients.low
    assert (by_kinds.difference, by_kinds.units) == (by_patients.difference, by_patients.units)


def with_scores(make):
    """Replace a method's scores by those that are made of labels."""

    def edit(cell, table):
        names = [name for name in table if name.startswith("score:")]
        labels = table[[name.replace("score:", "label:") for name in names]].to_numpy()
        table[names] = make(cell, labels).astype(np.float32)
        return table

    return edit


def test_a_toy_has_the_verdicts_that_it_was_made_for(tmp_path):
    """nih: adapted right, base wrong; rsna: the other way at 1 %, both alike at 10 and 100 %."""

    def made(cell, labels):
        adapted = cell.method == "mrm"
        if cell.dataset == "nih":
            return labels if adapted else -labels
        if cell.fraction == 0.01:
            return -labels if adapted else labels
        return labels

    store = made_store(tmp_path, {"mrm": 1.0, "gloria": 1.0}, edit=with_scores(made), patients=40)
    found = fought(store, replicates=500)
    (pair,) = found.pairs
    by_name = {(one.dataset, one.fraction): one for one in pair.cells}
    assert [by_name["nih", fraction].verdict for fraction in (0.01, 0.1, 1.0)] == ["win"] * 3
    assert [by_name["rsna", fraction].verdict for fraction in (0.01, 0.1, 1.0)] == ["loss", "tie", "tie"]
    assert (by_name["nih", 1.0].difference, by_name["nih", 1.0].low, by_name["nih", 1.0].high) == (1, 1, 1)
    assert by_name["nih", 1.0].p_value == 2 / 501
    assert (by_name["rsna", 1.0].difference, by_name["rsna", 1.0].p_value) == (0, 1)
    assert (pair.rates.win, pair.rates.tie, pair.rates.loss) == pytest.approx((0.5, 1 / 3, 1 / 6))
    assert pair.rates == found.rates
    assert pair.rates.cells == 6


def test_corrected_verdicts_are_holms_over_the_cells_of_a_pair(tmp_path):
    store = made_store(tmp_path, {"mrm": 1.3, "gloria": 1.0, "biovil": 1.1}, patients=30, spread=0.3)
    found = fought(store, ("mrm:gloria", "biovil:gloria"))
    for pair in found.pairs:
        adjusted = holm(np.array([one.p_value for one in pair.cells]))
        assert [one.p_adjusted for one in pair.cells] == adjusted.tolist()
        for one in pair.cells:
            assert one.verdict == ("win" if one.low > 0 else "loss" if one.high < 0 else "tie")
            assert one.corrected == (one.verdict if one.p_adjusted <= 0.05 else "tie")
    assert any(one.verdict != one.corrected for pair in found.pairs for one in pair.cells)
    assert any(one.corrected != "tie" for pair in found.pairs for one in pair.cells)
    for name in ("win", "tie", "loss"):
        assert getattr(found.rates, name) == pytest.approx(np.mean([getattr(one.rates, name) for one in found.pairs]))


def test_the_same_predictions_are_a_tie_with_p_one(tmp_path):
    told = {}
    store = made_store(
        tmp_path,
        {"mrm": 1.0, "gloria": 1.0},
        keep=lambda cell: cell.dataset == "rsna",
        edit=lambda cell, table: told.setdefault((cell.dataset, cell.fraction, cell.seed), table),
    )
    for one in fought(store).pairs[0].cells:
        assert (one.difference, one.low, one.high, one.p_value, one.verdict) == (0, 0, 0, 1, "tie")


def test_constant_scores_are_chance_and_ties_count_one_half(tmp_path):
    def made(cell, labels):
        return (
            np.zeros_like(labels)
            if cell.method == "gloria"
            else np.round(labels * 2 + np.arange(len(labels))[:, None] % 3)
        )

    store = made_store(tmp_path, {"mrm": 1.0, "gloria": 1.0}, edit=with_scores(made), keep=of_rsna)
    cell = only(fought(store, replicates=1000))
    assert cell.base.score == 0.5
    table = draws_of(store, "mrm")[0]
    assert cell.adapted.score == pytest.approx(by_hand("macro_auroc", columns_of(table)), abs=1e-12)
    assert 0.5 < cell.adapted.score < 1
    assert cell.verdict == "win"


def test_unknown_labels_take_no_part(tmp_path):
    def unknown(cell, table):
        labels = [name for name in table if name.startswith("label:")]
        table.loc[table.index[5:40], labels] = np.nan
        return table

    store = made_store(tmp_path, {"mrm": 2.0, "gloria": 1.0}, edit=unknown, keep=of_rsna)
    known = [columns_of(one[~one.filter(like="label:").isna().any(axis=1)]) for one in draws_of(store, "mrm")]
    expected = np.mean([by_hand("macro_auroc", one) for one in known])
    assert only(fought(store, replicates=200)).adapted.score == pytest.approx(expected, abs=1e-12)


def test_a_method_with_fewer_draws_is_averaged_over_its_own(tmp_path):
    def keep(cell):
        return of_rsna(cell) and (cell.method == "mrm" or cell.seed == 1)

    cell = only(fought(made_store(tmp_path, {"mrm": 1.4, "gloria": 1.0}, keep=keep), replicates=300))
    assert (cell.adapted.draws, cell.base.draws) == (("0", "1", "2"), ("1",))


def test_one_patient_cannot_be_resampled(tmp_path):
    def one_patient(cell, table):
        return table.assign(cluster="p") if cell.dataset == "nih" else table

    store = made_store(tmp_path, {"mrm": 2.0, "gloria": 1.0}, edit=one_patient, keep=lambda cell: cell.fraction == 0.01)
    (pair,) = fought(store, replicates=200).pairs
    assert {one.dataset for one in pair.cells} == {"rsna"}
    assert pair.left_out[0] == (
        "nih / classification / frozen / 1 %: all 120 test cases are of one cluster, and a bootstrap needs two"
    )
    alone = made_store(
        tmp_path / "alone",
        {"mrm": 2.0, "gloria": 1.0},
        edit=one_patient,
        keep=lambda cell: cell.dataset == "nih" and cell.fraction == 0.01,
    )
    with pytest.raises(StoreError, match="can be compared in no column") as refused:
        fought(alone)
    assert "one cluster" in refused.value.why


@pytest.mark.parametrize("questions", [1, 3])
@pytest.mark.parametrize("primary", ["accuracy", "accuracy_open"])
def test_questions_about_one_image_are_drawn_together(tmp_path, questions, primary):
    """Against the papers' rule, indices drawn with replacement and differences averaged, image by image."""
    suite = suite_of_questions(tmp_path, primary)
    skills = {"mrm": 0.66, "gloria": 0.55}
    store = store_of_questions(tmp_path / "store", suite, skills, images=120, questions=questions)
    cell = only(fought(store, suite=suite, replicates=10_000))
    tables = {
        name: [store.predictions(one.key) for one in store.records() if one.cell["method"] == name] for name in skills
    }
    columns = [columns_of(one) for some in tables.values() for one in some]

    def share(table):
        right = table["correct"]
        return right.mean() if primary == "accuracy" else right[table["closed"] == 0].mean()

    clusters = tables["mrm"][0]["cluster"].to_numpy(str)
    plain = bootstrapped(columns, (0.5, 0.5, -0.5, -0.5), clusters, share, 4000)
    error = quantile_error(plain, 10_000)
    assert [cell.low, cell.high] == pytest.approx(
        np.quantile(plain, [0.025, 0.975]), abs=4 * error + 0.5 / len(clusters)
    )
    counted = len(clusters) if primary == "accuracy" else len(clusters) // 2
    assert (cell.metric, cell.cases, cell.unit) == (primary, counted, "images")
    assert cell.units == (120 if primary == "accuracy" or questions > 1 else 60)


def test_a_score_that_few_cases_count_for_is_left_out_with_the_reason(tmp_path):
    """Open questions are of two images alone: a resampled test set in seven has none."""
    suite = suite_of_questions(tmp_path, "accuracy_open")
    skills = {"mrm": 0.6, "gloria": 0.5}
    store = store_of_questions(tmp_path / "store", suite, skills, images=20, questions=2, open_images=2)
    with pytest.raises(StoreError, match="can be compared in no column") as refused:
        fought(store, suite=suite)
    assert "too few test cases count" in refused.value.why
    assert "2000 resampled test sets have no accuracy_open" in refused.value.why


def test_columns_that_one_lacks_are_listed_with_the_reason(tmp_path):
    def keep(cell):
        return cell.method == "mrm" or (cell.dataset == "rsna" and cell.fraction == 1)

    (pair,) = fought(made_store(tmp_path, {"mrm": 2.0, "gloria": 1.0}, keep=keep), replicates=200).pairs
    assert [one.name for one in pair.cells] == ["rsna / classification / frozen / 100 %"]
    assert len(pair.left_out) == 5
    assert "nih / classification / frozen / 10 %: gloria: not run" in pair.left_out


def test_failed_cells_are_told_with_their_reason(tmp_path):
    store = made_store(tmp_path, {"mrm": 2.0, "gloria": 1.0}, keep=of_rsna)
    for cell in plan(SUITE, ["gloria"]):
        if (cell.dataset, cell.fraction) == ("nih", 1.0):
            store.put(record(cell, None, {}), None)
    made_store(tmp_path, {"mrm": 2.0}, keep=lambda cell: cell.dataset == "nih" and cell.fraction == 1)
    (pair,) = fought(store, replicates=200).pairs
    assert "nih / classification / frozen / 100 %: gloria: no class can be scored" in pair.left_out


def test_predictions_of_other_cases_are_an_error(tmp_path):
    def other(cell, table):
        return table.iloc[:-2] if cell.method == "gloria" else table

    store = made_store(tmp_path, {"mrm": 2.0, "gloria": 1.0}, edit=other, keep=of_rsna)
    with pytest.raises(StoreError, match="hold other test cases"):
        fought(store)


def test_what_the_pretrainings_saw_is_marked(tmp_path):
    store = made_store(tmp_path, {"mrm": 1.4, "random-resnet50": 1.0}, keep=of_rsna)
    cell = only(fought(store, ("mrm:random-resnet50",), replicates=200))
    assert not cell.is_seen
    for one in store.records():
        seen = [{"dataset": "rsna", "what": "images", "source": "test"}]
        card = one.card | ({"exposure": seen} if one.cell["method"] == "mrm" else {})
        store.put(one.model_copy(update={"card": card}), store.predictions(one.key))
    cell = only(fought(Store(tmp_path), ("mrm:random-resnet50",), replicates=200))
    assert cell.is_seen
    assert (cell.adapted.saw, cell.base.saw) == (("images",), ())


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({}, None),
        ({"searched": [{"prompts": "pairs/0", "validation": 0.6}, {"prompts": "classes/1", "validation": 0.7}],
          "chosen": 1}, ("classes/1", 0.7, 2)),
        ({"searched": [{"prompts": "pairs/0", "validation": None}], "chosen": 0}, ("pairs/0", None, 1)),
        ({"searched": [{"prompts": "pairs/0", "validation": 0.6}] * 3, "chosen": None},
         ("another in every fold", None, 3)),
    ],
)  # fmt: skip
def test_the_prompts_that_each_took_stand_beside_the_score(tmp_path, details, expected):
    suite = suite_of(tmp_path)
    store = measured_store(
        tmp_path / "store",
        suite,
        keep=lambda cell: cell.task == "zero_shot",
        details=lambda cell: dict(details) if cell.method == "mrm" else {},
    )
    for cell in fought(store, suite=suite, replicates=200).pairs[0].cells:
        told = [(one.chosen, one.validation, one.searched) for one in cell.adapted.prompts]
        assert told == ([] if expected is None else [expected])
        assert cell.base.prompts == ()


def test_the_whole_is_the_same_whatever_the_order_of_pairs(tmp_path):
    store = made_store(tmp_path, {"mrm": 1.4, "gloria": 1.1, "biovil": 1.0}, patients=30, keep=of_rsna)
    one, other = (fought(store, pairs, replicates=300) for pairs in (
        ("mrm:gloria", "biovil:gloria"), ("biovil:gloria", "mrm:gloria")))  # fmt: skip
    assert one.pairs == other.pairs[::-1]
    assert replace(one, pairs=()) == replace(other, pairs=())


def test_swapping_a_pair_swaps_wins_and_losses(tasks):
    suite, store, found = tasks
    turned = fought(store, ("gloria:mrm",), suite, replicates=10_000).pairs[0]
    for one, other in zip(found.pairs[0].cells, turned.cells, strict=True):
        assert one.difference == -other.difference
        if one.task in ("classification", "zero_shot", "segmentation"):
            assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-12)
    assert turned.rates.win == found.pairs[0].rates.loss


@pytest.mark.slow
@pytest.mark.parametrize("images", [1, 3])
def test_of_equal_methods_one_cell_in_twenty_is_won_or_lost(tmp_path, images):
    """1500 cells of two equal methods, 150 patients, AUROC of a class with 30 % positives.

    Within four binomial standard errors of 5 %, and 0.7 % for percentile intervals of skewed, finite samples.
    """
    rng = np.random.default_rng(5)
    patients, cells, false = 150, 1500, 0
    clusters = [f"p{number // images:03d}" for number in range(patients * images)]
    for cell in range(cells):
        labels = (rng.random(len(clusters)) < 0.3).astype(float)[:, None]
        shared = np.repeat(rng.normal(size=patients), images)
        logits = [(shared + rng.normal(size=len(clusters)) + labels[:, 0])[:, None] for _ in range(2)]
        draws = draw_clusters(clusters, 1000, cell, labels)
        a, b = (macro_auroc_replicates(one, labels, draws) for one in logits)
        false += verdict(*percentile_interval(a - b)) != "tie"
    assert abs(false / cells - 0.05) < 4 * np.sqrt(0.05 * 0.95 / cells) + 0.007

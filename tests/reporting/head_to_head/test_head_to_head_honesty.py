"""What a head-to-head counts once, averages over draws, and marks."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from contests import fought
from made_stores import made_store
from measured_stores import SUITE, measured_store, suite_of
from scores_by_hand import by_hand, columns_of

from benchx.reporting.head_to_head.forms import to_csv, to_json, to_markdown
from benchx.reporting.head_to_head.words import cell_rows, rules
from benchx.results.store import Store
from benchx.statistics.multiplicity import holm

SKILLS = {"mrm": 0.53, "gloria": 0.5, "biovil": 0.5}
TWICE = (
    SUITE.replace("[zero-shot]", "[zero-shot, zero-shot-official]")
    .replace("[frozen]", "[frozen, finetune]")
    .replace("[1.0]", "[0.1]")
)
"""Classification draws a tenth of the labels, with two seeds; zero-shot draws nothing.

Made predictions depend on method, dataset, task and seed alone, so those of both protocols are the same.
"""

AGAIN = (
    "rsna / classification / finetune / 10 %: the same predictions as rsna / classification / frozen / 10 %",
    "rsna / zero_shot / zero-shot-official / 100 %: the same predictions as rsna / zero_shot / zero-shot / 100 %",
    "siim / classification / finetune / 10 %: the same predictions as siim / classification / frozen / 10 %",
)


def of_classes(cell):
    return cell.task in ("classification", "zero_shot")


def fought_twice(folder, pairs=("mrm:gloria",), edit=lambda cell, table: table):
    suite = suite_of(folder, TWICE)
    store = measured_store(folder / "store", suite, skills=SKILLS, edit=edit, keep=of_classes)
    return fought(store, pairs, suite, replicates=500)


def names(pair):
    return [cell.name.rpartition(" / ")[0] for cell in pair.cells]


def again(pair):
    return tuple(one for one in pair.left_out if "the same predictions" in one)


def test_one_computation_under_two_protocols_is_one_cell(tmp_path):
    found = fought_twice(tmp_path)
    (pair,) = found.pairs
    assert names(pair) == [
        "rsna / classification / frozen", "rsna / zero_shot / zero-shot", "siim / classification / frozen",
    ]  # fmt: skip
    assert again(pair) == AGAIN
    assert pair.rates.cells == pair.corrected.cells == found.rates.cells == 3
    assert [one.p_adjusted for one in pair.cells] == holm(np.array([one.p_value for one in pair.cells])).tolist()
    text = " ".join(rules(found))
    assert "about 0.15 of 3 cells in all" in text
    assert "both methods have the same predictions are one cell" in text
    assert all(one in to_markdown(found).replace("\\", "") for one in AGAIN)


def changed(method, protocol, column, seed=None):
    """Change one number of a method's predictions under a protocol, of one draw or all."""

    def edit(cell, table):
        if (cell.method, cell.protocol) == (method, protocol) and seed in (None, cell.seed):
            first = next(name for name in table if name.startswith(column))
            table.loc[table.index[0], first] += 1
        return table

    return edit


@pytest.mark.parametrize("method", ["mrm", "gloria"])
def test_both_methods_must_have_the_same_predictions(tmp_path, method):
    (pair,) = fought_twice(tmp_path, edit=changed(method, "zero-shot-official", "score:")).pairs
    assert "rsna / zero_shot / zero-shot-official" in names(pair)
    assert again(pair) == (AGAIN[0], AGAIN[2])


def test_every_draw_must_have_the_same_predictions(tmp_path):
    (pair,) = fought_twice(tmp_path, edit=changed("gloria", "finetune", "score:", seed=1)).pairs
    assert [one for one in names(pair) if "finetune" in one] == [
        "rsna / classification / finetune", "siim / classification / finetune",
    ]  # fmt: skip
    assert again(pair) == (AGAIN[1],)


def test_draws_that_change_places_are_other_predictions(tmp_path):
    told = {}

    def swapped(cell, table):
        told[cell.method, cell.dataset, cell.protocol, cell.seed] = table.copy()
        if cell.protocol != "finetune" or cell.method != "mrm":
            return table
        return told["mrm", cell.dataset, "frozen", 1 - cell.seed].copy()

    (pair,) = fought_twice(tmp_path, edit=swapped).pairs
    assert "siim / classification / finetune" in names(pair)


def test_what_the_metric_does_not_read_makes_no_other_cell(tmp_path):
    """Of an AUROC thresholds are no part, and so no part of the calls that they gave."""

    def other_calls(cell, table):
        calls = [name for name in table if name.startswith("call:")]
        table[calls] = table[calls].to_numpy() if cell.protocol == "zero-shot" else 1 - table[calls].to_numpy()
        return table

    (pair,) = fought_twice(tmp_path, edit=other_calls).pairs
    assert again(pair) == AGAIN


def test_every_pair_has_its_own_cells(tmp_path):
    edit = changed("biovil", "zero-shot-official", "score:")
    first, second = fought_twice(tmp_path, ("mrm:gloria", "mrm:biovil"), edit).pairs
    assert (len(first.cells), len(second.cells)) == (3, 4)
    assert again(first) == AGAIN
    assert again(second) == (AGAIN[0], AGAIN[2])


def test_two_bases_with_the_same_predictions_are_two_pairs(tmp_path):
    told = {}

    def one_base(cell, table):
        return told.setdefault((cell.dataset, cell.protocol, cell.seed), table) if cell.method != "mrm" else table

    first, second = fought_twice(tmp_path, ("mrm:gloria", "mrm:biovil"), one_base).pairs
    assert (again(first), again(second)) == (AGAIN, AGAIN)
    assert first.cells == second.cells
    assert len(first.cells) == 3


def test_a_column_that_could_not_be_compared_stands_for_no_other(tmp_path):
    """The first of two equal columns has no cell, so the second names its own reason, not the first."""

    def one_patient(cell, table):
        return table.assign(cluster="p") if cell.task == "zero_shot" else table

    (pair,) = fought_twice(tmp_path, edit=one_patient).pairs
    told = [one for one in pair.left_out if "zero_shot" in one and one.startswith("rsna")]
    assert len(told) == 2
    assert all("all 80 test cases are of one cluster" in one for one in told)


@pytest.mark.parametrize("task", ["classification", "segmentation", "report_generation", "vqa"])
def test_what_is_shown_is_the_mean_of_all_draws(tmp_path, task):
    """Scores of every draw written out in numpy; to 1e-9, BLEU to the 1e-15 that pycocoevalcap adds to counts."""
    suite = suite_of(tmp_path, SUITE.replace("[frozen]", "[finetune]"))
    store = measured_store(tmp_path / "store", suite, keep=lambda cell: cell.task == task)
    for cell in fought(store, suite=suite, replicates=200).pairs[0].cells:
        means = []
        for side, method in ((cell.adapted, "mrm"), (cell.base, "gloria")):
            records = [one for one in store.records() if one.cell["method"] == method]
            tables = [store.predictions(one.key) for one in records if one.cell["dataset"] == cell.dataset]
            scores = [by_hand(cell.metric, columns_of(table)) for table in tables]
            assert side.draws == ("0", "1")
            assert abs(scores[0] - scores[1]) > 1e-4
            assert side.score == pytest.approx(np.mean(scores), abs=1e-9)
            means.append(np.mean(scores))
        assert cell.difference == pytest.approx(means[0] - means[1], abs=1e-9)


def of_two(cell):
    return cell.fraction == 1


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    """Of nih three patients stand in two parts, as the base's records say; of rsna none."""
    folder = tmp_path_factory.mktemp("leaky")
    store = made_store(folder, {"mrm": 2.2, "gloria": 0.8}, keep=of_two)
    for one in list(store.records()):
        if (one.cell["method"], one.cell["dataset"]) == ("gloria", "nih"):
            provenance = one.provenance.model_copy(update={"shared_units": 3})
            store.put(one.model_copy(update={"provenance": provenance}), store.predictions(one.key))
    return fought(Store(folder), replicates=200)


def test_leaky_splits_are_marked_in_every_form(leaky):
    (pair,) = leaky.pairs
    assert [(one.dataset, one.shared_units) for one in pair.cells] == [("nih", 3), ("rsna", 0)]
    assert [row["cell"] for row in cell_rows(pair)] == [
        "nih / classification / frozen / 100 % §", "rsna / classification / frozen / 100 %",
    ]  # fmt: skip
    text = to_markdown(leaky)
    assert "nih / classification / frozen / 100 % § |" in text
    assert "§ marks cells of a split that has patients, studies or images in two of its parts: nih" in text
    assert [row["shared_units"] for row in csv.DictReader(io.StringIO(to_csv(leaky)))] == ["3", "0"]
    told = json.loads(json.dumps(to_json(leaky)))["pairs"][0]["cells"]
    assert [cell["shared_units"] for cell in told] == [3, 0]


def test_the_rule_names_the_leaky_cells_once(leaky):
    (rule,) = [one for one in rules(leaky) if one.startswith("§")]
    assert rule.endswith("in two of its parts: nih / classification / frozen / 100 % (3 of its patients).")


def test_without_leaks_nothing_is_marked(tmp_path):
    found = fought(made_store(tmp_path, {"mrm": 2.2, "gloria": 0.8}, keep=of_two), replicates=200)
    assert to_markdown(found).count("§") == 1
    assert [one for one in rules(found) if one.startswith("§")] == [
        "§ marks cells of a split that has patients, studies or images in two of its parts."
    ]


@pytest.mark.parametrize("side", ["mrm", "gloria"])
def test_what_a_helping_method_saw_is_shown_on_the_side_that_it_helped(tmp_path, side):
    store = made_store(tmp_path, {"mrm": 2.2, "gloria": 0.8}, keep=of_two)
    helper = {"ptunifier": {"exposure": [{"dataset": "rsna", "what": "reports", "source": "test"}]}}
    own_exposure = [{"dataset": "rsna", "what": "images", "source": "test"}]
    for one in list(store.records()):
        if one.cell["method"] == side:
            told = {"details": one.details | {"other_methods": helper}, "card": one.card | {"exposure": own_exposure}}
            store.put(one.model_copy(update=told), store.predictions(one.key))
    found = fought(Store(tmp_path), replicates=200)
    own, other = ("adapted", "base") if side == "mrm" else ("base", "adapted")
    cell = next(one for one in found.pairs[0].cells if one.dataset == "rsna")
    assert cell.is_seen
    assert (getattr(cell, own).saw, getattr(cell, other).saw) == (("images", "reports (by ptunifier)"), ())
    text = to_markdown(found).replace("\\", "")
    assert "rsna / classification / frozen / 100 % †" in text
    assert f"rsna / classification / frozen / 100 %: {own} saw images, reports (by ptunifier)" in text
    line = next(row for row in csv.DictReader(io.StringIO(to_csv(found))) if row["dataset"] == "rsna")
    assert (line[f"{own}_saw"], line[f"{other}_saw"]) == ("images; reports (by ptunifier)", "")

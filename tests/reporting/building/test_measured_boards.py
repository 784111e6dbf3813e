"""Boards, pairs and comparisons of scores that are no AUROC, against explicit resampling of the same cases."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from measured_stores import PATIENTS, SKILLS, SUITE, measured_store, suite_of, table_of
from scipy.stats import wilcoxon
from sklearn.metrics import f1_score

from benchx.errors import StoreError, UsageError
from benchx.planning import plan
from benchx.reporting.board import Published
from benchx.reporting.building.appraisal import cases_digest
from benchx.reporting.building.draws import DrawsByCases
from benchx.reporting.building.leaderboard import Rules, build_board
from benchx.reporting.compare.stores import compare
from benchx.reporting.method.report import method_report
from benchx.reporting.pair.columns import compare_pair
from benchx.reporting.written.csv_table import to_csv
from benchx.reporting.written.figures import draw_figures
from benchx.reporting.written.json_board import to_json
from benchx.reporting.written.latex import to_latex
from benchx.reporting.written.markdown import to_markdown
from benchx.reporting.written.page import to_html
from benchx.statistics.paired_tests import paired_permutation
from benchx.tasks.scoring import MEASURES

REPLICATES = 200
RULES = Rules(replicates=REPLICATES)
MEASURED = ("segmentation", "retrieval", "report_generation")


def board_of(suite, *stores, rules=RULES):
    return build_board(suite, stores, rules, lambda card: None, lambda done, total: None)


def column_of(board, task, dataset=None):
    (column,) = (one for one in board.columns if one.task == task and dataset in (None, one.dataset))
    return column


def of_task(task):
    return lambda cell: cell.task == task


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return suite_of(tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="module")
def store(tmp_path_factory, suite):
    return measured_store(tmp_path_factory.mktemp("store"), suite)


@pytest.fixture(scope="module")
def board(suite, store):
    return board_of(suite, store)


def tables_of(store, column, method):
    return [store.predictions(draw.key).sort_values("sample", ignore_index=True) for draw in column.row(method).draws]


@pytest.mark.parametrize("task", MEASURED)
def test_a_score_and_its_error_are_those_of_explicitly_repeated_patients(board, store, task):
    column = column_of(board, task)
    measure = MEASURES[task][column.primary]
    for row in column.rows:
        tables = tables_of(store, column, row.method)
        assert row.score.value == pytest.approx(np.mean([measure.of(table) for table in tables]), abs=1e-12)
        draws = DrawsByCases(REPLICATES).of(column.dataset, task, tables[0])
        repeated = [np.repeat(np.arange(len(tables[0])), draws.weights(one)) for one in range(REPLICATES)]
        resampled = [[measure.of(table.iloc[rows]) for table in tables] for rows in repeated]
        behind = PATIENTS / (PATIENTS - 1)
        assert row.score.case_variance == pytest.approx(behind * np.var(np.mean(resampled, axis=1), ddof=1), rel=1e-9)
        assert row.score.case_df == PATIENTS - 1
        assert row.score.low < row.score.value < row.score.high
    assert (column.units, column.rows[0].method) == (PATIENTS, "mrm")


def test_foreground_dice_is_the_mean_over_images_written_out(board, store):
    column = column_of(board, "segmentation")
    (table, _) = tables_of(store, column, "mrm")
    (name,) = [one.removeprefix("tp:") for one in table if one.startswith("tp:")]
    tp, fp, fn = (table[f"{count}:{name}"].to_numpy(float) for count in ("tp", "fp", "fn"))
    whole = 2 * tp + fp + fn
    each = np.divide(2 * tp, whole, out=np.ones_like(whole), where=whole > 0)
    assert column.row("mrm").draws[0].score == pytest.approx(each.mean(), abs=1e-12)


def test_f1_is_that_of_scikit_learn(board, store):
    column = column_of(board, "classification", "rsna")
    (table,) = tables_of(store, column, "gloria")
    (name,) = [one.removeprefix("label:") for one in table if one.startswith("label:")]
    expected = f1_score(table[f"label:{name}"], table[f"score:{name}"] > 0)
    assert (column.primary, column.row("gloria").score.value) == ("f1", pytest.approx(expected, abs=1e-12))
    assert column.row("gloria").subgroups == ()


@pytest.mark.parametrize("task", MEASURED)
def test_a_subgroup_has_the_score_of_its_own_cases(board, store, task):
    column = column_of(board, task)
    measure = MEASURES[task][column.primary]
    tables = tables_of(store, column, "mrm")
    parts = {part.name: part.score for part in column.row("mrm").subgroups}
    for name in ("female", "male"):
        own = [measure.of(table[table["group:sex"] == name]) for table in tables]
        assert parts[f"sex: {name}"].value == pytest.approx(np.mean(own), abs=1e-12)


def test_only_a_classifiers_scores_are_calibrated(board):
    zero_shot = column_of(board, "zero_shot").rows[0]
    assert zero_shot.classes
    assert (zero_shot.reliability, zero_shot.operating_points) == ((), ())
    assert not {"brier", "ece"} & set(zero_shot.secondary)
    assert column_of(board, "classification", "siim").rows[0].reliability


def test_other_scores_are_the_means_over_draws_of_those_recorded(board, store):
    for task in MEASURED:
        column = column_of(board, task)
        row = column.row("mrm")
        recorded = [store.get(draw.key).scores for draw in row.draws]
        assert row.secondary
        assert column.primary not in row.secondary
        for name, value in row.secondary.items():
            assert value == pytest.approx(np.mean([scores[name] for scores in recorded]), abs=1e-12)


@pytest.mark.parametrize("constant", [1.0, 0.0])
def test_a_score_without_an_error_is_not_taken_to_be_certain(tmp_path, suite, constant):
    def edit(_, table):
        rank = np.float32(1 if constant else 1000)
        for way in ("i2t", "t2i"):
            mine = table[f"{way}_rank"].notna()
            table.loc[mine, [f"{way}_rank", f"{way}_reciprocal_rank"]] = [rank, 1 / rank]
            table.loc[mine, [f"{way}_recall_at_{depth}" for depth in (1, 5, 10)]] = np.float32(constant)
        return table

    column = column_of(
        board_of(suite, measured_store(tmp_path, suite, edit=edit, keep=of_task("retrieval"))), "retrieval"
    )
    for row in column.rows:
        assert row.score.value == constant
        assert row.score.se == pytest.approx(0.5 / (PATIENTS + 1), rel=1e-9)
    assert column.pairs[0].difference.p_value == 1


def test_the_metric_is_that_of_the_suite_whatever_the_one_a_result_was_first_run_for(tmp_path, suite, store):
    other = suite_of(tmp_path, SUITE.replace("primary: f1", "primary: macro_auroc"))
    column = column_of(board_of(other, store), "classification", "rsna")
    assert column.primary == "macro_auroc"
    recorded = store.get(column.rows[0].draws[0].key)
    assert recorded.cell["primary"] == "f1"
    assert column.rows[0].score.value == pytest.approx(recorded.scores["macro_auroc"], abs=1e-12)


def test_columns_of_two_metrics_are_ranked_together_and_their_differences_are_not(board):
    (standing,) = (one for one in board.standings if one.task == "classification")
    assert len(standing.columns) == 2
    assert [place.mean_rank for place in standing.places] == [1, 2]
    assert {(place.iqm, place.iqm_low, place.iqm_high) for place in standing.places} == {(None, None, None)}
    assert "several metrics" in standing.signed_rank
    (other,) = (one for one in board.standings if one.task == "segmentation")
    assert all(place.iqm is not None for place in other.places)


def test_a_result_without_the_primary_score_is_absent_with_the_reason(tmp_path, suite):
    by_radgraph = suite_of(tmp_path, SUITE.replace("primary: bleu_4", "primary: radgraph_f1"))

    def edit(cell, table):
        return table.assign(radgraph_partial=np.float32(0.4)) if cell.method == "mrm" else table

    made = measured_store(
        tmp_path / "store", by_radgraph, edit=edit, keep=of_task("report_generation"),
        details=lambda cell: {"unavailable": {"radgraph_f1": "no model"}},
    )  # fmt: skip
    column = column_of(board_of(by_radgraph, made), "report_generation")
    assert [row.method for row in column.rows] == ["mrm"]
    assert column.absent == {"gloria": "no radgraph_f1: no model"}


def test_a_query_that_most_resampled_test_sets_lack_is_refused(tmp_path, suite):
    def edit(_, table):
        alone = table["cluster"] != "p001"
        return table[~(alone & table["i2t_rank"].notna())]

    rare = measured_store(tmp_path, suite, edit=edit, keep=of_task("retrieval"))
    with pytest.raises(StoreError, match=r"give no i2t_recall_at_10 in \d+ of 200 resampled test sets"):
        board_of(suite, rare)


@pytest.mark.parametrize(
    ("task", "column", "others"),
    [("segmentation", "fn:Pneumonia", True), ("segmentation", "fp:Pneumonia", False),
     ("report_generation", "reference_length", True), ("report_generation", "bleu_match_1", False),
     ("retrieval", "i2t_rank", False), ("classification", "label:Pneumonia", True)],
)  # fmt: skip
def test_cases_are_others_where_their_truth_is(suite, task, column, others):
    cell = next(
        one for one in plan(suite, ["mrm"]) if one.task == task and (task != "classification" or one.primary == "f1")
    )
    table = table_of(cell, 0.5)
    name = column if column in table else next(one for one in table if one.startswith(column.split(":")[0] + ":"))
    changed = table.assign(**{name: table[name] + 1})
    assert (cases_digest(task, table) != cases_digest(task, changed)) == others


@pytest.mark.parametrize("task", MEASURED)
def test_a_pair_is_tested_on_sums_and_t_is_the_boards(suite, store, board, task):
    found = compare_pair(suite, [store], "mrm", "gloria", RULES, lambda done, total: None)
    (column,) = (one for one in found.columns if one.task == task)
    rows = {one.test: one for one in column.tests}
    (pair,) = column_of(board, task).pairs
    assert list(rows) == ["t (the board's)", "percentile", "BCa", "permutation", "Wilcoxon"]
    assert rows["t (the board's)"].p_value == pytest.approx(pair.difference.p_value, rel=1e-9)
    for name in ("percentile", "BCa", "permutation"):
        assert rows[name].difference == pytest.approx(pair.difference.value, abs=1e-12)
        assert rows[name].p_value <= 0.02
    back = compare_pair(suite, [store], "gloria", "mrm", RULES, lambda done, total: None)
    (turned,) = (one for one in back.columns if one.task == task)
    assert turned.tests[0].difference == -rows["t (the board's)"].difference
    assert turned.tests[0].p_value == pytest.approx(rows["t (the board's)"].p_value, rel=1e-12)


def test_tests_of_a_mean_are_those_of_its_cases(suite, store, board):
    """Exchange of sums is the flip of signs where the score is a mean; Wilcoxon's is scipy's of patients' means."""
    weak = {"mrm": 0.52, "gloria": 0.5}
    column = column_of(board, "segmentation")
    folder = store.path.parent / "weak"
    near = measured_store(folder, suite, skills=weak, keep=of_task("segmentation"))
    (found,) = compare_pair(suite, [near], "mrm", "gloria", RULES, lambda done, total: None).columns
    rows = {one.test: one for one in found.tests}
    near_column = column_of(board_of(suite, near), "segmentation")
    measure = MEASURES["segmentation"][column.primary]
    dice = [
        np.mean([measure.terms(table)[:, 0] for table in tables_of(near, near_column, name)], axis=0) for name in weak
    ]
    clusters = tables_of(near, near_column, "mrm")[0]["cluster"].tolist()
    flips = paired_permutation(dice[0] - dice[1], clusters, 2000, 7)
    assert rows["permutation"].p_value == pytest.approx(flips.p_value, abs=0.05)
    assert rows["permutation"].difference == pytest.approx(flips.statistic, abs=1e-12)
    by_patient = (dice[0] - dice[1]).reshape(PATIENTS, 2).mean(axis=1)
    assert rows["Wilcoxon"].p_value == pytest.approx(wilcoxon(by_patient).pvalue, rel=1e-9)


def test_wilcoxon_is_of_means_alone(suite, store):
    found = compare_pair(suite, [store], "mrm", "gloria", RULES, lambda done, total: None)
    reasons = {one.task: one.tests[-1].reason for one in found.columns if one.metric != "macro_auroc"}
    assert reasons == {
        "classification": "the score is no mean over cases",
        "report_generation": "the score is no mean over cases",
        "few_shot": "the score is no mean over cases",
        "segmentation": "",
        "retrieval": "",
        "vqa": "",
    }


def test_two_stores_are_compared_by_every_tasks_metric(tmp_path, suite, store):
    worse = measured_store(tmp_path, suite, skills={"mrm": 0.2, "gloria": 0.5})
    found = compare(store, worse, suite="tasks", margin=0.01, level=0.95, advance=lambda done, total: None)
    for row in found.rows:
        assert row.verdict == ("regressed" if row.name.method == "mrm" else "same"), row
        assert row.metric in (
            "f1",
            "macro_auroc",
            "macro_auroc_at_16",
            "dice",
            "bleu_4",
            "i2t_recall_at_10",
            "accuracy",
        )


def test_references_of_other_lengths_are_other_cases(tmp_path, suite, store):
    def edit(_, table):
        return table.assign(reference_length=table["reference_length"] + 1)

    other = measured_store(tmp_path, suite, keep=of_task("report_generation"), edit=edit)
    with pytest.raises(UsageError, match="others"):
        compare(store, other, suite="tasks", margin=0.01, level=0.95, advance=lambda done, total: None)


def test_no_form_says_auroc_of_a_dice_column(board):
    (standing,) = (one for one in board.standings if one.task == "segmentation")
    alone = replace(board, columns=(column_of(board, "segmentation"),), standings=(standing,))
    written = {
        "markdown": to_markdown(alone),
        "latex": to_latex(alone),
        "report": " ".join(method_report(alone, "mrm").methods_section),
    }
    for form, text in written.items():
        own = text.split("## Rules")[0].replace("image_auroc", "")
        assert not re.search("auroc|calibrat", own, re.IGNORECASE), form
        assert "dice" in own.lower(), form
    assert "Dice coefficient of the foreground" in written["report"]
    page = to_html(alone)
    assert "macro_auroc" not in page
    figures = draw_figures(alone)
    assert not any(name.startswith("reliability") for name in figures)
    labels = {
        axis.get_xlabel() for name, one in figures.items() if name.startswith(("tie", "forest")) for axis in one.axes
    }
    assert labels == {"dice", "difference in dice"}


def test_a_transductive_result_is_marked_in_every_form(tmp_path, suite):
    made = measured_store(
        tmp_path, suite, keep=of_task("zero_shot"), details=lambda cell: {"transductive": cell.method == "mrm"}
    )
    marked = board_of(suite, made)
    assert [(row.method, row.transductive) for row in marked.columns[0].rows] == [("mrm", True), ("gloria", False)]
    assert re.search(r"mrm +\| 0\.\d+ \[[^]]+\] a ‡", to_markdown(marked))
    assert to_markdown(marked).count("scores are standardised over the test images") == 2  # remark and rule
    assert "<i>‡</i>" in to_html(marked)
    assert r"$\ddagger$" in to_latex(marked)
    rows = {row["method"]: row["transductive"] for row in csv.DictReader(io.StringIO(to_csv(marked)))}
    assert rows == {"mrm": "true", "gloria": "false"}
    plain = board_of(suite, measured_store(tmp_path / "plain", suite, keep=of_task("zero_shot")))
    assert "‡" not in to_markdown(plain) + to_html(plain)


@pytest.mark.parametrize(
    ("curve", "late"),
    [([0.1, 0.2, 0.2, 0.2, 0.2, 0.2], 0), ([0.1, 0.1, 0.1, 0.1, 0.3, 0.3], 1), ([None, None, None, None, None, 0.2], 1),
     ([None] * 6, 0), ([0.1, 0.2, 0.2, 0.2, 0.2, 0.3], 1), ([0.5], 0)],
)  # fmt: skip
def test_a_search_whose_best_came_in_its_last_third_is_counted(tmp_path, suite, curve, late):
    made = measured_store(
        tmp_path, suite, skills={"mrm": 0.5}, keep=of_task("segmentation"),
        details=lambda cell: {"fold": {"search": {"best_so_far": curve}}},
    )  # fmt: skip
    (row,) = column_of(board_of(suite, made), "segmentation").rows
    assert (row.searches, row.trials, row.late_trials) == (2, len(curve), 2 * late)


def test_published_stands_beside_ours_in_units_of_both_errors(tmp_path, suite):
    real = measured_store(tmp_path, suite, keep=lambda cell: cell.task == "classification", data="real")
    board = board_of(suite, real)
    column = column_of(board, "classification", "siim")
    row = column.row("gloria")
    cited = (
        Published("gloria", "paper", row.score.value - 0.03, 0.02, "Table 1"),
        Published("gloria", "authors-code", row.score.value + 0.01, None, "code"),
        Published("nobody", "paper", 0.5, None, "Table 2"),
    )
    board = replace(board, columns=(replace(column, published=cited),), standings=())
    first = 0.03 / np.sqrt(row.score.se**2 + 0.02**2 / 2)
    second = -0.01 / row.score.se
    text = to_markdown(board)
    assert f"the score here differs by +0.030 ({first:.1f} σ)" in text
    assert f"the score here differs by -0.010 ({-second:.1f} σ)" in text
    lines = [line for line in csv.DictReader(io.StringIO(to_csv(board))) if line["origin"] != "here"]
    found = [(line["ours_minus_published"], line["in_uncertainties"]) for line in lines]
    assert np.array(found[:2], float) == pytest.approx(np.array([[0.03, first], [-0.01, second]]), rel=1e-9)
    assert found[2] == ("", "")
    (written,) = json.loads(json.dumps(to_json(board), allow_nan=False))["columns"]
    assert written["published"][0]["in_uncertainties"] == pytest.approx(first, rel=1e-9)
    assert written["published"][2]["ours_minus_published"] is None
    assert f"+0.030 ({first:.1f} σ)" in to_html(board)


def test_a_second_build_takes_every_task_from_the_cache(suite, store, board):
    assert set(SKILLS) == {method.name for method in board.methods}
    assert board_of(suite, store) == board

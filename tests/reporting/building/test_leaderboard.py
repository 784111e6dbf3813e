"""A board from simulated predictions: what it compares, what it leaves out, and that its numbers follow."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from made_stores import CLASSIFICATION, made_store
from sklearn.metrics import roc_auc_score

from benchx.errors import BenchxError, StoreError
from benchx.planning import plan
from benchx.reporting.building.leaderboard import Rules, build_board
from benchx.results.store import Store
from benchx.suites import read_suite
from benchx.tasks.predictions import scores_and_labels

SUITE = read_suite(CLASSIFICATION)
SKILLS = {"mrm": 2.0, "gloria": 0.9, "random-resnet50": 0.0}
FEW = Rules(replicates=300)


def board_of(*stores, rules=FEW, suite=SUITE):
    return build_board(suite, stores, rules, lambda card: None, lambda done, total: None)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made_store(tmp_path_factory.mktemp("store"), SKILLS)


@pytest.fixture(scope="module")
def board(store):
    return board_of(store)


def test_scores_are_those_of_scikit_learn_averaged_over_draws(board, store):
    column = board.columns[0]
    row = column.row("mrm")
    expected = []
    for draw in row.draws:
        scores, labels, _ = scores_and_labels(store.predictions(draw.key))
        expected.append(roc_auc_score(labels, scores, average="macro"))
        assert draw.score == pytest.approx(expected[-1], abs=1e-12)
    assert row.score.value == pytest.approx(np.mean(expected), abs=1e-12)
    assert row.score.low < row.score.value < row.score.high
    assert row.score.draws == len(row.draws) == row.planned_draws == 3


def test_a_better_method_stands_first_and_apart(board):
    for column in board.columns:
        assert [row.method for row in column.rows] == ["mrm", "gloria", "random-resnet50"]
        assert [row.letters for row in column.rows] == ["a", "b", "c"]
        assert column.discriminability.verdict == "separates"
        assert [row.rank.low for row in column.rows] == [1, 2, 3]


def test_every_two_methods_are_compared_once_with_the_sign_of_the_rows(board):
    for column in board.columns:
        assert [(pair.a, pair.b) for pair in column.pairs] == [
            ("mrm", "gloria"),
            ("mrm", "random-resnet50"),
            ("gloria", "random-resnet50"),
        ]
        for pair in column.pairs:
            gap = column.row(pair.a).score.value - column.row(pair.b).score.value
            assert pair.difference.value == pytest.approx(gap, abs=1e-12)
            assert pair.p_adjusted >= pair.difference.p_value
            assert pair.equivalent is None


def test_what_is_drawn_follows_from_protocol_and_fraction(board):
    assert {(column.fraction, column.drawn) for column in board.columns} == {
        (0.01, "subset"),
        (0.1, "subset"),
        (1.0, "nothing"),
    }
    whole = next(column for column in board.columns if column.fraction == 1)
    assert [draw.name for draw in whole.rows[0].draws] == ["deterministic"]
    assert whole.rows[0].score.draw_variance is None
    assert whole.rows[0].next_draw is None
    half = board.columns[0].rows[0]
    assert 0 < half.next_draw < half.score.high - half.score.low


def test_a_standing_counts_datasets_of_one_source_once(board):
    (standing,) = board.standings
    assert standing.blocks == ("nih",)  # RSNA's images are NIH's
    assert len(standing.columns) == len(board.columns)
    assert [place.method for place in standing.places] == ["mrm", "gloria", "random-resnet50"]
    assert [place.mean_rank for place in standing.places] == [1, 2, 3]
    assert standing.friedman is None
    assert standing.critical_difference is None
    assert {place.letters for place in standing.places} == {""}
    assert "cannot decide" in standing.signed_rank
    best = standing.places[0]
    assert (best.wins, best.ties, best.losses) == (2 * len(board.columns), 0, 0)
    assert standing.false_wins == pytest.approx(0.05 * len(board.columns))


def test_scenarios_vary_one_thing_each(board):
    (standing,) = board.standings
    kinds = [scenario.kind for scenario in standing.scenarios]
    assert kinds[0] == "as run"
    assert kinds.count("without a dataset") == 2
    assert kinds.count("one draw") == 3
    assert kinds.count("smaller search") == 2
    assert kinds.count("other metric") == 1
    for scenario in standing.scenarios:
        total = sum(scenario.ranks.values())
        assert total == pytest.approx(len(scenario.ranks) * (len(scenario.ranks) + 1) / 2)


def test_a_method_that_lacks_a_column_is_listed_and_not_ranked(tmp_path):
    lacking = made_store(tmp_path, SKILLS, keep=lambda cell: not (cell.method == "gloria" and cell.dataset == "rsna"))
    (standing,) = board_of(lacking).standings
    assert [place.method for place in standing.places] == ["mrm", "random-resnet50"]
    assert list(standing.left_out) == ["gloria"]
    assert all("rsna" in name for name in standing.left_out["gloria"])


def test_two_stores_make_one_board(tmp_path, board):
    one = made_store(tmp_path / "one", {"mrm": 2.0})
    two = made_store(tmp_path / "two", {"gloria": 0.9, "random-resnet50": 0.0})
    assert board_of(one, two).columns == board.columns


def test_a_second_build_takes_appraisals_from_the_cache(tmp_path, monkeypatch):
    store = made_store(tmp_path, SKILLS)
    first = board_of(store)
    monkeypatch.setattr(Store, "predictions", lambda *_: pytest.fail("predictions were read again"))
    assert board_of(store) == first


def test_a_damaged_cache_is_made_again(tmp_path):
    store = made_store(tmp_path, {"mrm": 1.5})
    first = board_of(store)
    for number, file in enumerate(sorted((store.cache / "appraisals").iterdir())):
        file.write_bytes(file.read_bytes()[: 200 * number])
    assert board_of(store) == first


def test_edited_predictions_are_appraised_anew(tmp_path):
    store = made_store(tmp_path, {"mrm": 1.5, "gloria": 0.6})
    before = board_of(store)
    key = before.columns[0].row("gloria").draws[0].key
    table = store.predictions(key)
    names = [name for name in table.columns if name.startswith("score:")]
    table[names] = -table[names]
    table.to_parquet(store.cells / key / "predictions.parquet", index=False)
    after = board_of(store)
    assert after.columns[0].row("gloria").score.value < before.columns[0].row("gloria").score.value
    assert after.columns[1:] == before.columns[1:]


def test_real_and_phantom_results_never_meet(tmp_path):
    phantom = made_store(tmp_path / "phantom", {"mrm": 1.0})
    real = made_store(tmp_path / "real", {"gloria": 1.0}, provenance={"data": "real"})
    with pytest.raises(StoreError, match="phantom and real"):
        board_of(phantom, real)


def test_two_stores_with_other_scores_for_one_key_are_refused(tmp_path):
    one = made_store(tmp_path / "one", {"mrm": 1.0})
    other = made_store(tmp_path / "two", {"mrm": 0.1})
    with pytest.raises(StoreError, match="different scores"):
        board_of(one, other)


def test_an_empty_store_says_what_to_do(tmp_path):
    with pytest.raises(StoreError, match="benchx run --suite phantom"):
        board_of(Store(tmp_path))


def test_results_of_another_suite_version_are_counted_and_left_out(tmp_path):
    older = SUITE.model_copy(update={"seeds": (7, 8), "version": 0})
    made_store(tmp_path, {"mrm": 1.0}, suite=older, keep=lambda cell: cell.seed == 7)
    store = made_store(tmp_path, {"mrm": 1.0})
    asked = {cell.digest for cell in plan(SUITE, ["mrm"])}
    left = sum(record.cell_digest not in asked for record in store.records())
    assert board_of(store).notes == (
        f"{left} results of version 0 of this suite are left out: version 1 asks for other cells",
    )


def _drop(cell, table):
    return table.iloc[1:] if cell.method == "gloria" else table


def test_methods_with_other_test_cases_are_refused(tmp_path):
    with pytest.raises(StoreError, match="other test cases"):
        board_of(made_store(tmp_path, {"mrm": 1.0, "gloria": 1.0}, edit=_drop))


def _set(name, row, value):
    def edit(table):
        table.loc[row, name] = value
        return table

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_set("score:Atelectasis", 3, np.nan), "a score is NaN or infinite"),
        (_set("score:Atelectasis", 3, np.inf), "a score is NaN or infinite"),
        (_set("label:Atelectasis", 3, 2), "a label is neither 0 nor 1"),
        (lambda table: table.drop(columns="fold"), "it has no column fold"),
        (lambda table: table.drop(columns="sample"), "it has no column sample"),
        (lambda table: table.drop(columns="score:Mass"), "not of the same classes"),
        (lambda table: table.assign(**{"score:Mass": "high"}), "is not a number"),
        (lambda table: table.assign(fold=7), "of folds that its record does not list"),
        (lambda table: table.assign(**{n: 0.0 for n in table.columns if n.startswith("label:")}), "both values"),
    ],
)
def test_edited_predictions_are_refused_with_the_cell_and_the_reason(tmp_path, edit, said):
    store = made_store(tmp_path, {"mrm": 1.0})
    key = next(record.key for record in store.records() if record.cell["dataset"] == "nih")
    edit(store.predictions(key)).to_parquet(store.cells / key / "predictions.parquet", index=False)
    with pytest.raises(StoreError, match=f"the result {key[:12]} cannot be scored: .*{said}"):
        board_of(store)


@pytest.mark.parametrize("details", [{}, {"folds": "x"}, {"folds": [3]}, {"folds": [{"fold": 0}]}])
def test_details_edited_to_nonsense_are_refused(tmp_path, details):
    store = made_store(tmp_path, {"mrm": 1.0})
    file = next(store.cells.glob("*/record.json"))
    file.write_text(json.dumps(json.loads(file.read_text()) | {"details": details}))
    with pytest.raises(StoreError, match="cannot be scored: its record"):
        board_of(store)


def test_a_record_with_another_score_is_noted_and_the_predictions_count(tmp_path):
    store = made_store(tmp_path, {"mrm": 1.0})
    file = next(store.cells.glob("*/record.json"))
    content = json.loads(file.read_text())
    right = content["scores"]["macro_auroc"]
    content["scores"]["macro_auroc"] = 0.9999
    file.write_text(json.dumps(content))
    board = board_of(store)
    assert board.notes == (f"{content['key'][:12]} (mrm) records 0.9999, its predictions give {right:.4f}",)
    scores = {draw.key: draw.score for column in board.columns for draw in column.rows[0].draws}
    assert scores[content["key"]] == pytest.approx(right, abs=1e-12)


def test_equal_methods_are_not_told_apart_by_one_positive_patient(tmp_path):
    def rare(cell, table):
        labels = {name: (table.index == 5).astype(np.float32) for name in table.columns if name.startswith("label:")}
        return table.assign(**labels)

    board = board_of(made_store(tmp_path, dict.fromkeys(SKILLS, 0.0), edit=rare))
    for column in board.columns:
        assert {row.letters for row in column.rows} == {"a"}
        assert column.discriminability.verdict == "cannot"
        assert all(row.score.high - row.score.low > 0.3 for row in column.rows)


def test_truncated_predictions_are_one_clear_error(tmp_path):
    store = made_store(tmp_path, {"mrm": 1.0})
    path = next(store.cells.glob("*/predictions.parquet"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError, match="cannot be read"):
        board_of(store)


def test_one_patient_gives_one_clear_error(tmp_path):
    with pytest.raises(BenchxError, match="one patient"):
        board_of(made_store(tmp_path, {"mrm": 1.0}, patients=1, images=8))


def test_constant_predictions_tie_at_one_half_without_a_warning(tmp_path):
    def flat(cell, table):
        return table.assign(**{name: np.float32(0) for name in table.columns if name.startswith("score:")})

    board = board_of(made_store(tmp_path, {"mrm": 1.0, "gloria": 1.0}, edit=flat))
    for column in board.columns:
        assert [row.score.value for row in column.rows] == [0.5, 0.5]
        assert {row.letters for row in column.rows} == {"a"}
        assert column.pairs[0].difference.p_value == 1
        assert column.discriminability.verdict == "cannot"
    json.dumps(dataclasses.asdict(board), allow_nan=False)


def test_one_method_and_one_seed_make_a_board(tmp_path):
    board = board_of(made_store(tmp_path, {"mrm": 1.0}, keep=lambda cell: cell.seed in (None, 0)))
    assert board.standings == ()
    for column in board.columns:
        assert column.pairs == ()
        assert column.discriminability is None
        assert column.rows[0].letters == ""
        assert column.rows[0].score.draw_variance is None


def test_a_single_positive_is_scored_and_its_class_has_no_interval(tmp_path):
    def rare(cell, table):
        name = next(name for name in table.columns if name.startswith("label:"))
        return table.assign(**{name: (table.index == 5).astype(np.float32)})

    column = board_of(made_store(tmp_path, {"mrm": 1.0, "gloria": 0.5}, edit=rare)).columns[0]
    assert column.redrawn > 0
    assert column.rows[0].classes[0].score is None
    assert "too few" in column.rows[0].classes[0].reason


def test_contamination_follows_the_card(tmp_path):
    board = board_of(made_store(tmp_path, {"xrv-densenet121": 1.0, "mrm": 1.0, "gloria": 0.4}))
    nih = board.columns[0]
    assert nih.row("xrv-densenet121").contaminated
    assert nih.row("gloria").contaminated == ()
    clean = board.standings[0].scenarios[-1]
    assert clean.kind == "without contaminated methods"
    assert "xrv-densenet121" not in clean.ranks


def test_whole_board_families_correct_over_more_pairs(store, board):
    whole = board_of(store, rules=dataclasses.replace(FEW, family="board"))
    for narrow, wide in zip(board.columns, whole.columns, strict=True):
        for a, b in zip(narrow.pairs, wide.pairs, strict=True):
            assert b.p_adjusted >= a.p_adjusted


def test_a_margin_asks_for_equivalence(store):
    board = board_of(store, rules=dataclasses.replace(FEW, margin=0.9))
    assert all(pair.equivalent for column in board.columns for pair in column.pairs)


@pytest.mark.parametrize("margin", [0, -0.1, 1, float("nan")])
def test_margins_that_cannot_be_are_refused(margin):
    with pytest.raises(BenchxError, match="margin"):
        Rules(margin=margin)

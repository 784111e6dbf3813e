"""Which comparisons are refused: nothing is compared that stands on other data, another split or other settings."""

from __future__ import annotations

import numpy as np
import pytest
from compared_stores import SUITE, TENTH, WHOLE, compared, only, unfinished
from made_stores import made_store

from benchx.errors import StoreError, UsageError
from benchx.planning import plan
from benchx.results.store import Store


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return made_store(tmp_path_factory.mktemp("base"), {"mrm": 1.5, "gloria": 0.6}, keep=only(TENTH, WHOLE))


@pytest.mark.parametrize(
    ("provenance", "says"),
    [
        ({"images": "f" * 64}, "the dataset fingerprint is"),
        ({"split": "f" * 64}, "the split digest is"),
        ({"data": "real"}, "the kind of data is phantom in BASE and real in HEAD"),
    ],
)
def test_other_data_are_refused(base, tmp_path, provenance, says):
    other = made_store(tmp_path, {"mrm": 1.5}, keep=only(WHOLE), provenance=provenance)
    with pytest.raises(UsageError) as refused:
        compared(base, other)
    assert refused.value.exit_code == 2
    assert refused.value.what.startswith("mrm / rsna / classification / frozen / 100 %: ")
    assert says in refused.value.what
    assert "ffffffffffff in HEAD" in refused.value.what or "real in HEAD" in refused.value.what


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"short_side": 200}, "setting short_side is 160 in BASE and 200 in HEAD"),
        ({"cut_validation": False}, "setting cut_validation is True in BASE and False in HEAD"),
    ],
)
def test_other_settings_are_refused(base, tmp_path, change, says):
    other = made_store(tmp_path, {"mrm": 1.5}, suite=SUITE.model_copy(update=change), keep=only(TENTH))
    with pytest.raises(UsageError, match=says):
        compared(base, other)


def test_another_protocol_is_refused(base, tmp_path):
    frozen = SUITE.protocols["frozen"].model_copy(update={"strengths": (1.0, 2.0)})
    other = made_store(
        tmp_path, {"mrm": 1.5}, suite=SUITE.model_copy(update={"protocols": {"frozen": frozen}}), keep=only(WHOLE)
    )
    with pytest.raises(UsageError, match=r"setting protocol\.strengths is .* in BASE and \[1.0, 2.0\] in HEAD"):
        compared(base, other)


def test_another_metric_is_refused(base, tmp_path):
    other = made_store(tmp_path, {"mrm": 1.5}, keep=only(WHOLE))
    (done,) = other.records()
    scores = done.scores | {"macro_auprc": 0.5}
    other.put(
        done.model_copy(update={"cell": done.cell | {"primary": "macro_auprc"}, "scores": scores}),
        other.predictions(done.key),
    )
    with pytest.raises(UsageError, match="the metric is macro_auroc in BASE and macro_auprc in HEAD"):
        compared(base, other)


@pytest.mark.parametrize(
    "edit",
    [
        lambda cell, table: table.iloc[:-1],
        lambda cell, table: table.assign(sample=[f"x{name}" for name in table["sample"]]),
        lambda cell, table: table.assign(cluster=table["sample"]),
        lambda cell, table: table.assign(**{table.columns[-1]: 1 - table[table.columns[-1]]}),
    ],
)
def test_other_test_cases_are_refused(base, tmp_path, edit):
    other = made_store(tmp_path, {"mrm": 1.5}, keep=only(WHOLE), edit=edit)
    with pytest.raises(UsageError, match=r"120 test cases \(.*\) in BASE, 1(19|20) others \(.*\) in HEAD"):
        compared(base, other)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("score:", np.nan, "a score is NaN or infinite"),
        ("label:", 2, "a label is neither 0 nor 1"),
        ("label:", 0, "no class has both values"),
    ],
)
def test_predictions_that_cannot_be_scored_are_refused_in_the_words_of_a_board(base, tmp_path, column, value, says):
    other = made_store(tmp_path, {"mrm": 1.5}, keep=only(WHOLE))
    (done,) = other.records()
    table = other.predictions(done.key)
    table[[name for name in table if name.startswith(column)]] = value
    other.put(done, table)
    for sides in ((base, other), (other, base), (other, other)):
        with pytest.raises(StoreError, match=f"the result {done.key[:12]} cannot be scored: {says}") as refused:
            compared(*sides)
        assert refused.value.todo == f"remove {other.cells / done.key} and run the suite again"


def test_stores_without_a_common_cell_are_refused_with_the_reason(base, tmp_path):
    empty = Store(tmp_path / "empty")
    with pytest.raises(UsageError, match="is no results store") as refused:
        compared(base, empty)
    assert refused.value.todo == "give two folders that benchx run --store has written: benchx compare BASE HEAD"
    empty.cells.mkdir(parents=True)
    for sides, side in (((base, empty), "HEAD"), ((empty, base), "BASE")):
        with pytest.raises(UsageError) as refused:
            compared(*sides)
        assert refused.value.why == f"{side} ({empty.path}) has no result of it"
    other = made_store(tmp_path / "other", {"refers": 1}, keep=only(WHOLE, methods=("refers",)))
    with pytest.raises(UsageError) as refused:
        compared(base, other)
    assert refused.value.why == "BASE and HEAD have no method in common: gloria, mrm against refers"


def test_a_suite_that_neither_store_knows_is_named_with_those_that_they_know(base, tmp_path):
    with pytest.raises(UsageError) as refused:
        compared(base, base, suite="phantm")
    assert refused.value.what == f"neither {base.path} nor {base.path} has a result of a suite 'phantm'"
    assert (refused.value.why, refused.value.todo) == ("they have results of: phantom", "did you mean 'phantom'?")
    with pytest.raises(UsageError) as refused:
        compared(base, base, suite="xyz")
    assert refused.value.todo == "name one of these, or leave --suite out"
    other = made_store(
        tmp_path / "other", {"mrm": 1}, suite=SUITE.model_copy(update={"name": "other"}), keep=only(WHOLE)
    )
    with pytest.raises(UsageError, match="no cell of suite 'other' in common") as refused:
        compared(base, other, suite="other")
    assert refused.value.why == f"BASE ({base.path}) has no result of it"


def test_a_cell_that_only_failed_in_head_is_no_reason_to_refuse(tmp_path):
    left = made_store(tmp_path / "left", {"mrm": 1}, keep=only(WHOLE))
    right = Store(tmp_path / "right")
    (whole,) = (cell for cell in plan(SUITE, ["mrm"]) if cell.fraction == WHOLE and cell.dataset == "rsna")
    unfinished(right, whole, "failed", "out of memory")
    (row,) = compared(left, right).rows
    assert (row.verdict, row.broken) == ("missing", True)
    with pytest.raises(UsageError, match="no cell in common") as refused:
        compared(right, left)
    assert "no finished result" in refused.value.why


@pytest.mark.parametrize(("option", "value"), [("margin", -0.1), ("margin", 1), ("margin", float("nan")), ("level", 1)])
def test_margin_and_level_out_of_range_are_refused(base, option, value):
    with pytest.raises(UsageError, match=option):
        compared(base, base, **{option: value})

"""`benchx pair` as a user calls it, and what it refuses."""

from __future__ import annotations

import json

import pytest
from made_stores import CLASSIFICATION, made_store
from paired_stores import (
    SKILLS,
    compared,
)
from scipy.stats import norm

from benchx.errors import BenchxError, StoreError, UsageError
from benchx.results.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made_store(tmp_path_factory.mktemp("pair"), SKILLS, patients=80, spread=0.02)


@pytest.mark.parametrize(
    ("a", "b", "datasets", "error", "says"),
    [
        ("mrm", "mrm", (), UsageError, "named twice"),
        ("mrn", "gloria", (), UsageError, "did you mean 'mrm'"),
        ("mrm", "glorie", (), UsageError, "did you mean 'gloria'"),
        ("mrm", "gloria", ("rsnb",), UsageError, "did you mean 'rsna'"),
    ],
)
def test_what_is_asked_wrongly_is_refused(store, a, b, datasets, error, says):
    with pytest.raises(error, match=says):
        compared(store, a, b, datasets=datasets)


def test_no_common_column_says_what_each_has(tmp_path):
    apart = made_store(
        tmp_path,
        {"mrm": 1.0, "gloria": 1.0},
        keep=lambda cell: cell.fraction == 1 and (cell.method == "mrm") == (cell.dataset == "nih"),
    )
    with pytest.raises(StoreError, match="no column of suite 'phantom' in common") as refused:
        compared(apart)
    assert "'mrm' has nih / classification / frozen / 100 %" in refused.value.why
    assert "'gloria' has rsna / classification / frozen / 100 %" in refused.value.why
    assert "--method mrm --method gloria" in refused.value.todo


def test_an_empty_store_is_one_clear_error(tmp_path):
    with pytest.raises(BenchxError, match="no finished result"):
        compared(Store(tmp_path))


def test_the_command_prints_a_table_a_column_and_what_tests_rest_on(benchx, store):
    code, out, err = benchx(
        "pair", "mrm", "gloria", "--suite", CLASSIFICATION, "--store", store.path, "--dataset", "rsna"
    )
    assert code == 0
    assert out.count("permutation") == 3
    assert "rsna / classification / frozen / 1 %: macro_auroc mrm" in out
    assert "not applicable: no thresholds stored" in out
    assert "hold the draws fixed" in out
    assert "data: phantom" in out
    assert "Traceback" not in err


def test_the_command_prints_json_of_finite_numbers(benchx, store):
    arguments = ("mrm", "gloria", "--suite", CLASSIFICATION, "--store", store.path, "--margin", 0.05, "--json")
    code, out, err = benchx("pair", *arguments, "--dataset", "nih")
    assert (code, err) == (0, "")

    def refuse(name):
        raise AssertionError(f"{name} in JSON")

    found = json.loads(out, parse_constant=refuse)
    assert (found["a"], found["b"], found["level"], found["margin"]) == ("mrm", "gloria", 0.95, 0.05)
    rows = {row["test"]: row for row in found["columns"][0]["tests"]}
    row = rows["DeLong (Obuchowski)"]
    error = (row["high"] - row["low"]) / 2 / norm.ppf(0.975)
    assert row["p_value"] == pytest.approx(2 * norm.sf(abs(row["difference"]) / error), rel=1e-6)
    assert rows["McNemar"]["p_value"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("mrm", "mrm"), 2, "named twice"),
        (("mrm", "mrmm"), 2, "did you mean 'mrm'"),
        (("mrm", "gloria", "--margin", "2"), 2, "a margin of 2 cannot be"),
        (("mrm", "gloria", "--store", "nowhere"), 1, "no finished result"),
    ],
)
def test_the_command_refuses_in_three_lines(benchx, store, arguments, code, says):
    where = () if "--store" in arguments else ("--store", store.path)
    found, _, err = benchx("pair", *arguments, "--suite", CLASSIFICATION, *where)
    assert found == code
    assert says in err
    assert "Traceback" not in err

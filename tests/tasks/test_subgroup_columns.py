"""What a prediction table tells of sex, age and view."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchx.datasets.samples import COLUMNS
from benchx.tasks.subgroups import group_columns, read_groups


def cases(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns).reindex(columns=COLUMNS)


def as_lists(table: pd.DataFrame) -> dict[str, list[str | None]]:
    return {name: list(values) for name, values in read_groups(pd.DataFrame(group_columns(table))).items()}


def test_sexes_get_one_spelling_and_what_is_not_known_is_null():
    sexes = ["M", "F", "male", " Female ", "O", "U", "", None, np.nan, "1"]
    expected = ["male", "female", "male", "female", "other", None, None, None, None, "1"]
    assert as_lists(cases(sex=sexes)) == {"sex": expected}


def test_ages_become_bands_and_never_appear_themselves():
    ages = [0, 0.02, 17.9, 18, 39.99, 40, 59, 60, 79, 80, 120, 121, -1, None, np.nan, np.inf]
    expected = ["0-17"] * 3 + ["18-39"] * 2 + ["40-59"] * 2 + ["60-79"] * 2 + ["80+"] * 2 + [None] * 5
    assert as_lists(cases(age=ages)) == {"age": expected}
    assert as_lists(cases(age=pd.array([61, None], "Int64"))) == {"age": ["60-79", None]}


def test_views_are_as_the_samples_say():
    assert as_lists(cases(view=["PA", "AP Supine", "LATERAL", "", None])) == {
        "view": ["PA", "AP Supine", "LATERAL", None, None]
    }


@pytest.mark.parametrize("nothing", [None, np.nan, ""])
def test_a_column_without_a_known_value_is_left_out(nothing):
    assert group_columns(cases(sample=["a", "b"], sex=[nothing] * 2, view=[nothing] * 2)) == {}
    assert group_columns(cases(sample=[], sex=[], age=[], view=[])) == {}


def test_the_columns_survive_a_parquet_file(tmp_path):
    columns = group_columns(cases(sex=["M", None], age=[30.0, np.nan], view=[None, "PA"]))
    table = pd.DataFrame({"sample": ["a", "b"]}).assign(**columns)
    table.to_parquet(tmp_path / "predictions.parquet", index=False)
    found = pd.read_parquet(tmp_path / "predictions.parquet")
    pd.testing.assert_frame_equal(found, table)
    assert {name: list(values) for name, values in read_groups(found).items()} == {
        "sex": ["male", None],
        "age": ["18-39", None],
        "view": [None, "PA"],
    }


def test_tables_made_before_there_were_subgroups_have_none():
    assert read_groups(pd.DataFrame({"sample": ["a"], "score:Mass": [0.1]})) == {}

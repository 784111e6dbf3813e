"""Tables of retrieval: what is wrong with one is said in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchx.tasks.kinds import KINDS
from benchx.tasks.retrieval.scores import MEASURES, fault, score

NAN = float("nan")


@pytest.fixture
def table() -> pd.DataFrame:
    ranks = {"i2t": [1, 7, 3, NAN, NAN], "t2i": [NAN, NAN, NAN, 2, 30]}
    columns = {"sample": ["a", "b", "c", "text:s", "text:t"], "cluster": list("11212"), "fold": np.zeros(5, np.int8)}
    for way, values in ranks.items():
        rank = np.array(values)
        columns |= {f"{way}_rank": rank, f"{way}_reciprocal_rank": 1 / rank, f"{way}_ndcg": 1 / np.log2(1 + rank)}
        columns |= {f"{way}_recall_at_{k}": np.where(np.isnan(rank), NAN, rank <= k) for k in (1, 5, 10)}
    columns["i2t_class_hit_at_1"] = np.array([1, 0, NAN, NAN, NAN])
    frame = pd.DataFrame(columns)
    return frame.astype({name: np.float32 for name in frame if name[:3] in ("i2t", "t2i")})


def test_scores_by_hand(table) -> None:
    assert fault(table) is None
    found = score(table)
    assert (found["n"], found["i2t_queries"], found["t2i_queries"]) == (5, 3, 2)
    assert (found["i2t_median_rank"], found["t2i_median_rank"]) == (3, 16)
    assert found["i2t_mrr"] == pytest.approx((1 + 1 / 7 + 1 / 3) / 3, abs=1e-7)
    assert [found[f"i2t_recall_at_{k}"] for k in (1, 5, 10)] == pytest.approx([1 / 3, 2 / 3, 1])
    assert [found[f"t2i_recall_at_{k}"] for k in (1, 5, 10)] == [0, 0.5, 0.5]
    assert found["i2t_class_hit_at_1"] == 0.5
    assert "t2i_class_hit_at_1" not in found


def test_every_primary_follows_from_sums() -> None:
    assert set(KINDS["retrieval"].primaries) <= set(MEASURES)


def test_one_way_alone_has_scores_and_the_other_none(table) -> None:
    images = table[:3]
    assert fault(images) is None
    assert score(images)["t2i_recall_at_1"] is None
    assert score(images)["t2i_median_rank"] is None


@pytest.mark.parametrize(
    ("column", "row", "value", "says"),
    [
        ("i2t_rank", 0, 0, "a rank is no whole number from 1 on"),
        ("i2t_rank", 0, 1.5, "a rank is no whole number from 1 on"),
        ("i2t_rank", 0, NAN, "its i2t ranks are not those of images"),
        ("t2i_rank", 0, 4, "its t2i ranks are not those of reports"),
        ("i2t_recall_at_5", 1, 1, "i2t_recall_at_5 does not follow from the ranks"),
        ("t2i_reciprocal_rank", 4, 0.5, "t2i_reciprocal_rank does not follow from the ranks"),
        ("t2i_recall_at_1", 3, NAN, "t2i_recall_at_1 does not follow from the ranks"),
        ("i2t_ndcg", 0, NAN, "i2t_ndcg is not between 0 and 1"),
        ("i2t_ndcg", 0, 1.2, "i2t_ndcg is not between 0 and 1"),
        ("i2t_class_hit_at_1", 0, 2, "i2t_class_hit_at_1 is not between 0 and 1"),
        ("i2t_class_hit_at_1", 4, 1, "i2t_class_hit_at_1 has a value in a row of the other way"),
    ],
)
def test_a_changed_value_is_found(table, column, row, value, says) -> None:
    table.loc[row, column] = value
    assert fault(table) == says


def test_a_missing_column_and_words_are_found(table) -> None:
    assert fault(table.drop(columns="t2i_ndcg")) == "it has no column t2i_ndcg"
    assert fault(table.astype({"i2t_rank": str})) == "a rank or a score is not a number"

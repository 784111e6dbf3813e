"""Scores of a prediction table against sums written out over the masks themselves."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from tiny_segmentation import samples_of

from benchx.images.spec import InputSpec
from benchx.metrics.segmentation import pooled_mean_dice
from benchx.tasks.kinds import KINDS
from benchx.tasks.segmentation.area import area
from benchx.tasks.segmentation.scores import MEASURES, fault, score
from benchx.tasks.segmentation.tables import case_table, count_table

SPEC = InputSpec(size=24, resize="letterbox", mean=(0.5,), std=(0.25,))
NAMES = ("left lung", "a:b")


def drawn(count: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Truth and log-odds [count, 2, 24, 24]; some of both are empty."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((count, 2, 24, 24), np.uint8)
    odds = rng.normal(-2, 0.5, truth.shape).astype(np.float32)
    for image in range(count):
        for one in range(2):
            top, left, height, width = rng.integers(2, 10, 4)
            if image % 3 != one:
                truth[image, one, top : top + height, left : left + width] = 1
            if image % 4 != one:
                top, left = top + rng.integers(-2, 3), left + rng.integers(-2, 3)
                odds[image, one, top : top + height, left : left + width] += rng.random() + 4
    return truth, odds


def table_of(truth: np.ndarray, odds: np.ndarray, shape: tuple[int, int] = (48, 32)) -> pd.DataFrame:
    cases = [(one, other, area(*shape, SPEC)) for one, other in zip(truth, odds, strict=True)]
    return case_table(samples_of(len(truth)), np.arange(len(truth)), 0, cases, NAMES, tolerance=2.0)


@pytest.fixture(scope="module")
def masks() -> tuple[np.ndarray, np.ndarray]:
    return drawn()


@pytest.fixture(scope="module")
def table(masks) -> pd.DataFrame:
    return table_of(*masks)


def test_counts_are_those_of_the_image_without_its_padding(masks, table):
    truth, odds = (one[..., 4:20] for one in masks)
    called = odds > 0
    for index, name in enumerate(NAMES):
        expected = truth[:, index].astype(bool)
        pairs = {"tp": expected & called[:, index], "fp": ~expected & called[:, index]}
        pairs |= {"fn": expected & ~called[:, index], "tn": ~expected & ~called[:, index]}
        for column, mask in pairs.items():
            assert table[f"{column}:{name}"].tolist() == mask.sum(axis=(1, 2)).tolist()
        np.testing.assert_array_equal(table[f"score:{name}"], odds[:, index].max(axis=(1, 2)))
        assert table[f"label:{name}"].tolist() == expected.any(axis=(1, 2)).astype(float).tolist()


def test_the_quick_counts_are_those_of_the_table(masks, table):
    cases = [(*one, area(48, 32, SPEC)) for one in zip(*masks, strict=True)]
    quick = count_table(cases, NAMES)
    pd.testing.assert_frame_equal(quick, table[list(quick.columns)], check_dtype=False)
    for name in ("dice", "mdice"):
        assert MEASURES[name].of(quick) == MEASURES[name].of(table)


def test_distances_are_in_pixels_of_the_original(masks):
    assert area(48, 32, SPEC).spacing == (2.0, 2.0)
    near, far = table_of(*masks, shape=(48, 32)), table_of(*masks, shape=(96, 64))
    for name in NAMES:
        np.testing.assert_allclose(far[f"hd95:{name}"], 2 * near[f"hd95:{name}"], rtol=1e-6)
        assert (far[f"nsd:{name}"] <= near[f"nsd:{name}"]).all()


def test_means_over_images_with_the_rule_for_empty_masks(masks, table):
    truth, called = masks[0][..., 4:20].astype(bool), masks[1][..., 4:20] > 0
    both, either = (truth & called).sum(axis=(2, 3)), (truth | called).sum(axis=(2, 3))
    iou = np.where(either == 0, 1.0, both / np.maximum(either, 1))
    dice = 2 * iou / (1 + iou)
    assert (either == 0).any()
    assert ((both == 0) & (either > 0)).any()
    found = score(table)
    assert found["dice"] == pytest.approx(dice.mean(), abs=1e-12)
    assert found["iou"] == pytest.approx(iou.mean(), abs=1e-12)
    there = truth.any(axis=(2, 3))
    positive = [dice[there[:, k], k].mean() for k in range(2)]
    assert found["dice_positive"] == pytest.approx(np.mean(positive), abs=1e-12)
    assert [found["per_class"][name]["dice_positive"] for name in NAMES] == pytest.approx(positive, abs=1e-12)
    assert [found["per_class"][name]["positives"] for name in NAMES] == there.sum(axis=0).tolist()
    for name in ("hd95", "nsd"):
        assert found[name] == pytest.approx(np.mean([table[f"{name}:{one}"].mean() for one in NAMES]), rel=1e-6)


def test_pooled_scores_from_sums(masks, table):
    truth, called = masks[0][..., 4:20].astype(bool), masks[1][..., 4:20] > 0
    pooled, mean = [], []
    for one in range(2):
        expected, found = truth[:, one], called[:, one]
        foreground = 2 * (expected & found).sum() / (expected.sum() + found.sum())
        background = 2 * (~expected & ~found).sum() / ((~expected).sum() + (~found).sum())
        pooled.append(foreground)
        mean.append((foreground + background) / 2)
        counts = [table[f"{column}:{NAMES[one]}"].to_numpy() for column in ("tp", "fp", "fn", "tn")]
        assert mean[-1] == pytest.approx(pooled_mean_dice(*counts), abs=1e-12)
    found = score(table)
    assert found["pooled_dice"] == pytest.approx(np.mean(pooled), abs=1e-12)
    assert found["mdice"] == pytest.approx(np.mean(mean), abs=1e-12)
    lesions = [
        2
        * table[f"lesion_tp:{name}"].sum()
        / (2 * table[f"lesion_tp:{name}"].sum() + table[f"lesion_fp:{name}"].sum() + table[f"lesion_fn:{name}"].sum())
        for name in NAMES
    ]
    assert found["lesion_f1"] == pytest.approx(np.mean(lesions), abs=1e-12)


def test_the_auroc_of_images_is_sklearns(table):
    areas = [roc_auc_score(table[f"label:{name}"], table[f"score:{name}"]) for name in NAMES]
    assert score(table)["image_auroc"] == pytest.approx(np.mean(areas), abs=1e-12)


def test_primaries_follow_from_sums_and_sums_can_be_resampled(table):
    assert set(KINDS["segmentation"].primaries) <= set(MEASURES)
    rows = np.random.default_rng(0).integers(0, len(table), (5, len(table)))
    for measure in MEASURES.values():
        terms = measure.terms(table)
        assert np.isfinite(terms).all()
        several = measure.of_sums(terms[rows].sum(axis=1))
        alone = [measure.of(table.iloc[one]) for one in rows]
        np.testing.assert_allclose(several, alone, rtol=1e-12, equal_nan=True)


def test_a_class_that_is_nowhere_has_no_score_where_it_says_nothing():
    truth, odds = drawn()
    truth[:, 1], odds[:, 1] = 0, -3
    found = score(table_of(truth, odds))
    nowhere = found["per_class"]["a:b"]
    assert (nowhere["dice"], nowhere["iou"], nowhere["hd95"], nowhere["nsd"]) == (1, 1, 0, 1)
    assert [nowhere[name] for name in ("dice_positive", "pooled_dice", "lesion_f1", "image_auroc")] == [None] * 4
    assert nowhere["mdice"] == 1
    for name in ("dice_positive", "pooled_dice", "lesion_f1", "image_auroc"):
        assert found[name] == found["per_class"]["left lung"][name]
    json.dumps(found)


def test_a_good_table_has_no_fault(table):
    assert fault(table) is None


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("tp:a:b", None, "no column tp:a:b|different numbers"),
        ("nsd:a:b", None, "no column nsd:a:b"),
        ("fold", None, "no column fold"),
        ("fp:a:b", -1, "whole number of 0"),
        ("lesion_fn:a:b", 0.5, "whole number of 0"),
        ("tn:a:b", 7, "different numbers of pixels"),
        ("hd95:a:b", np.nan, "NaN or infinite"),
        ("score:a:b", np.inf, "NaN or infinite"),
        ("hd95:a:b", -1.0, "below 0"),
        ("nsd:a:b", 1.5, "below 0, or a share outside"),
        ("label:a:b", 2.0, "a label is not"),
        ("score:a:b", "high", "not a number"),
    ],
)
def test_faults_are_named(table, column, value, said):
    broken = table.drop(columns=column) if value is None else table.assign(**{column: value})
    if column == "tp:a:b":
        assert fault(broken) is None, "without its tp column a class is not there"
    else:
        assert __import__("re").search(said, fault(broken))


def test_a_table_without_a_class_is_none(table):
    assert fault(table[["sample", "cluster", "fold"]]) == "it has no column tp:NAME of any class"

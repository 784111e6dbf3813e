from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchx.annotators.chexbert import CLASSES, FIVE, OBSERVATIONS, checked_labels, chexbert_f1


def drawn(rng: np.random.Generator, reports: int, weights=(0.6, 0.2, 0.1, 0.1)) -> np.ndarray:
    labels = rng.choice(4, (reports, 14), p=weights)
    labels[:, 13] %= 2
    return labels.astype(np.int8)


def by_sklearn(hypotheses: np.ndarray, references: np.ndarray) -> dict[str, float]:
    hypotheses, references = ((labels == 1) | (labels == 3) for labels in (hypotheses, references))
    five = [OBSERVATIONS.index(name) for name in FIVE]
    return {
        f"{average}_{name}": f1_score(references[:, chosen], hypotheses[:, chosen], average=average, zero_division=0)
        for name, chosen in (("14", list(range(14))), ("5", five))
        for average in ("micro", "macro")
    }


@pytest.mark.parametrize("reports", [1, 2, 7, 400])
@pytest.mark.parametrize("weights", [(0.6, 0.2, 0.1, 0.1), (0.97, 0.01, 0.01, 0.01), (1, 0, 0, 0), (0, 0, 0, 1)])
def test_scores_are_those_of_sklearn(reports, weights):
    rng = np.random.default_rng(reports)
    for _ in range(5):
        hypotheses, references = drawn(rng, reports, weights), drawn(rng, reports, weights)
        expected = by_sklearn(hypotheses, references)
        assert chexbert_f1(hypotheses, references) == pytest.approx(expected, abs=1e-14)


def test_uncertain_counts_as_positive_and_negative_as_blank():
    positive, uncertain = np.full((1, 14), 1), np.full((1, 14), 3)
    assert set(chexbert_f1(positive, uncertain).values()) == {1.0}
    blank, negative = np.zeros((1, 14), int), np.full((1, 14), 2)
    assert set(chexbert_f1(blank, negative).values()) == {0.0}
    assert set(chexbert_f1(positive, negative).values()) == {0.0}


@pytest.mark.parametrize("hypotheses", [np.zeros((2, 13)), np.zeros(14), np.full((2, 14), 4), np.full((2, 14), -1)])
def test_other_labels_are_refused(hypotheses):
    with pytest.raises(ValueError, match=r"14\]|class"):
        chexbert_f1(hypotheses, np.zeros((2, 14), int))
    with pytest.raises(ValueError, match="no reports"):
        chexbert_f1(np.zeros((0, 14), int), np.zeros((0, 14), int))


def test_labels_of_one_report_are_checked_head_by_head():
    assert checked_labels([3] * 13 + [1]) == [3] * 13 + [1]
    for wrong in ([0] * 13, [0] * 13 + [2], [4] + [0] * 13, [0.0] * 14, [True] * 14, "0" * 14, None):
        with pytest.raises(ValueError, match="class"):
            checked_labels(wrong)
    assert len(CLASSES) == len(OBSERVATIONS) == 14

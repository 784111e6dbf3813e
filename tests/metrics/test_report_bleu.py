from __future__ import annotations

import math
import random

import numpy as np
import pytest
from report_texts import random_reports, retold

from benchx.metrics.reports.bleu import BLEU_COLUMNS, bleu_counts, bleu_of_sums


def theirs(hypotheses, references):
    from pycocoevalcap.bleu.bleu import Bleu

    cases = range(len(hypotheses))
    score, _ = Bleu(4).compute_score(
        {one: [references[one]] for one in cases}, {one: [hypotheses[one]] for one in cases}, verbose=0
    )
    return score


def test_counts_and_scores_worked_by_hand():
    counts = bleu_counts(["the heart the heart is big"], ["the heart is normal in size"])
    # unigrams the, heart, is of 6 (a second "the heart" is not in the reference); bigrams "the heart", "heart is"
    assert counts.iloc[0].to_dict() == dict(zip(BLEU_COLUMNS, (3, 2, 1, 0, 6, 5, 4, 3, 6, 6), strict=True))
    scores = bleu_of_sums(counts.to_numpy()[0])
    assert scores[:3] == pytest.approx([3 / 6, math.sqrt(3 / 6 * 2 / 5), (3 / 6 * 2 / 5 * 1 / 4) ** (1 / 3)], abs=1e-9)
    assert 0 < scores[3] < 1e-3


def test_a_short_hypothesis_is_penalised():
    counts = bleu_counts(["no effusion"], ["no effusion or pneumothorax"])
    assert bleu_of_sums(counts.to_numpy()[0])[:2] == pytest.approx([math.exp(1 - 4 / 2)] * 2, abs=1e-8)


def test_sums_of_resampled_cases_give_what_pycocoevalcap_gives():
    rng = random.Random(0)
    references = random_reports(rng, 40)
    hypotheses = [*retold(rng, references[:30]), *references[:5], "", "", "x", "x y z", "heart"]
    counts = bleu_counts(hypotheses, references).to_numpy()
    drawn = np.random.default_rng(0).integers(0, 40, (50, 40))
    sums = counts[drawn].sum(axis=1)
    expected = [theirs([hypotheses[one] for one in row], [references[one] for one in row]) for row in drawn]
    assert bleu_of_sums(sums) == pytest.approx(np.array(expected), abs=1e-12)
    assert (bleu_of_sums(sums.reshape(5, 10, 10)) == bleu_of_sums(sums).reshape(5, 10, 4)).all()


@pytest.mark.parametrize("hypotheses", [["", ""], ["x y z u v", "w"], ["x", ""], ["", "a b c d e f g h"]])
def test_without_a_match_it_is_what_pycocoevalcap_gives(hypotheses):
    references = ["a b c d e", "f"]
    sums = bleu_counts(hypotheses, references).to_numpy().sum(axis=0)
    scores = bleu_of_sums(sums)
    assert scores == pytest.approx(np.array(theirs(hypotheses, references)), abs=1e-12)
    assert np.isfinite(scores).all()


def test_sacrebleu_agrees():
    from sacrebleu.metrics import BLEU

    rng = random.Random(1)
    references = random_reports(rng, 200)
    hypotheses = retold(rng, references)
    ours = bleu_of_sums(bleu_counts(hypotheses, references).to_numpy().sum(axis=0))
    for order in (1, 2, 3, 4):
        other = BLEU(tokenize="none", smooth_method="none", max_ngram_order=order, force=True)
        assert ours[order - 1] == pytest.approx(other.corpus_score(hypotheses, [references]).score / 100, abs=1e-9)


@pytest.mark.slow
def test_torchmetrics_agrees():
    from torchmetrics.functional.text import bleu_score

    rng = random.Random(2)
    references = random_reports(rng, 20)
    hypotheses = retold(rng, references)
    ours = bleu_of_sums(bleu_counts(hypotheses, references).to_numpy().sum(axis=0))
    assert ours[3] == pytest.approx(float(bleu_score(hypotheses, [[one] for one in references])), abs=1e-6)


def test_other_columns_are_refused():
    with pytest.raises(ValueError, match="10 columns"):
        bleu_of_sums(np.zeros((3, 9)))

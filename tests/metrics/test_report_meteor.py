from __future__ import annotations

import random

import numpy as np
import pytest
from report_texts import iu_xray, needs_iu_xray, needs_java, random_reports

from benchx.metrics.reports.java import find_java
from benchx.metrics.reports.meteor import METEOR_COLUMNS, meteor_counts, meteor_of_sums
from benchx.metrics.reports.tokenizing import tokenize


def theirs(hypotheses, references):
    from pycocoevalcap.meteor.meteor import Meteor

    meteor = Meteor()
    cases = range(len(hypotheses))
    try:
        return meteor.compute_score(
            {one: [references[one]] for one in cases}, {one: [hypotheses[one]] for one in cases}
        )
    finally:
        meteor.meteor_p.stdin.close()
        meteor.meteor_p.wait()
        meteor.meteor_p.stdout.close()
        meteor.meteor_p.stderr.close()


def counts(**values):
    return np.array([values.get(name.removeprefix("meteor_stat_"), 0) for name in METEOR_COLUMNS])


def test_a_score_worked_by_hand():
    # "the heart is normal" against "heart size is normal": heart and normal are content words, is a function word
    case = counts(
        hypothesis_length=4,
        reference_length=4,
        hypothesis_function_words=2,
        reference_function_words=1,
        exact_hypothesis_content=2,
        exact_reference_content=2,
        exact_hypothesis_function=1,
        exact_reference_function=1,
        chunks=2,
        hypothesis_matches=3,
        reference_matches=3,
    )
    aligned = 0.75 * 2 + 0.25 * 1
    precision, recall = aligned / (0.75 * 2 + 0.25 * 2), aligned / (0.75 * 3 + 0.25 * 1)
    f_mean = precision * recall / (0.85 * precision + 0.15 * recall)
    assert meteor_of_sums(case) == pytest.approx(f_mean * (1 - 0.6 * (2 / 3) ** 0.2), abs=1e-15)


def test_nothing_aligned_scores_0():
    assert meteor_of_sums(np.zeros((2, 3, 23))).tolist() == [[0.0] * 3] * 2
    assert meteor_of_sums(counts(reference_length=5, reference_function_words=2)) == 0
    with pytest.raises(ValueError, match="23 columns"):
        meteor_of_sums(np.zeros(22))


@needs_java
@pytest.mark.slow
def test_cases_and_corpus_are_what_the_program_says():
    rng = random.Random(0)
    references = [
        *("the heart is big", "the hearts are enlarged", "a b c", "a b c", "hearts", "the", "of"),
        "currently the lungs are clear",
        *random_reports(rng, 60),
    ]
    hypotheses = [
        *("the hearts are big", "the heart is large", "", "a b c", "heart", "the", "the"),
        "at the present time the lungs are clear",
        *random_reports(rng, 50, shortest=0),
        *references[8:18],
    ]
    hypotheses, references = tokenize(hypotheses, find_java())[0], tokenize(references, find_java())[0]
    found = meteor_counts(hypotheses, references, find_java())
    corpus, cases = theirs(hypotheses, references)
    assert meteor_of_sums(found.to_numpy()) == pytest.approx(np.array(cases), abs=1e-12)
    assert meteor_of_sums(found.to_numpy().sum(axis=0)) == pytest.approx(corpus, abs=1e-12)
    for stage in ("exact", "stem", "paraphrase"):
        assert found[f"meteor_stat_{stage}_hypothesis_content"].sum() > 0


@needs_java
@needs_iu_xray
@pytest.mark.slow
def test_real_reports_score_what_the_program_says():
    references = tokenize(iu_xray("test"), find_java())[0]
    hypotheses = random.Random(0).sample(references, len(references))
    found = meteor_counts(hypotheses, references, find_java())
    corpus, cases = theirs(hypotheses, references)
    assert meteor_of_sums(found.to_numpy()) == pytest.approx(np.array(cases), abs=1e-12)
    assert meteor_of_sums(found.to_numpy().sum(axis=0)) == pytest.approx(corpus, abs=1e-12)
    for stage in ("exact", "stem", "synonym", "paraphrase"):
        assert found[f"meteor_stat_{stage}_hypothesis_content"].sum() > 0

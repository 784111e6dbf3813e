"""Scores from a prediction table, against pycocoevalcap on the texts themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.rouge.rouge import Rouge

from benchx.annotators.chexbert import OBSERVATIONS
from benchx.metrics.reports.scoring import score_reports
from benchx.tasks.kinds import KINDS
from benchx.tasks.report_generation.comparing import against_cleaned, against_raw
from benchx.tasks.report_generation.scores import MEASURES, fault, score
from benchx.tasks.scoring import FAULTS, SCORERS
from benchx.tasks.scoring import MEASURES as ALL_MEASURES

WORDS = ["the", "heart", "lungs", "are", "is", "clear", "no", "effusion", "large", "small", "left", ".", "seen"]


@pytest.fixture(autouse=True)
def without_java(monkeypatch):
    monkeypatch.setenv("PATH", "")


def texts(count, seed):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(3, 25))) + " heart ." for _ in range(count)]


def table_of(generated, references, cleaned=None):
    columns, _ = against_raw(generated, references)
    if cleaned is not None:
        columns = pd.concat([columns, against_cleaned(generated, cleaned)], axis=1)
    known = {"sample": [f"s{n}" for n in range(len(generated))], "cluster": "c", "fold": np.int8(0)}
    return columns.assign(**known)


def test_scores_of_the_table_are_those_of_the_texts():
    generated, references = texts(40, 0), texts(40, 1)
    generated[3] = ""
    found, expected = score(table_of(generated, references)), score_reports(generated, references).scores
    for name in ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"):
        assert found[name] == pytest.approx(expected[name], abs=1e-6)
    assert found["meteor"] is found["cleaned_bleu_4"] is found["radgraph_f1"] is None
    assert found["n"] == 40
    assert not any(name.startswith("chexbert") for name in found)


def test_cleaned_scores_count_stops_and_are_pycocoevalcaps():
    generated, references = texts(40, 0), texts(40, 1)
    found = score(table_of(generated, references, references))
    keys = range(40)
    both = {k: [references[k]] for k in keys}, {k: [generated[k]] for k in keys}
    bleu, _ = Bleu(4).compute_score(*both, verbose=0)
    for order in range(4):
        assert found[f"cleaned_bleu_{order + 1}"] == pytest.approx(bleu[order], rel=1e-6)
    assert found["cleaned_rouge_l"] == pytest.approx(Rouge().compute_score(*both)[0], abs=1e-6)
    assert found["cleaned_bleu_4"] != pytest.approx(found["bleu_4"], abs=1e-3)


def test_a_perfect_report_and_an_empty_one():
    perfect = score(table_of(["no effusion is seen ."] * 2, ["No effusion is seen."] * 2))
    assert perfect["bleu_4"] == pytest.approx(1, abs=1e-6)
    assert perfect["rouge_l"] == pytest.approx(1)
    empty = score(table_of(["", ""], ["No effusion is seen.", "Clear."]))
    assert empty["bleu_1"] == empty["rouge_l"] == pytest.approx(0, abs=1e-9)


def test_scorers_that_read_with_a_model():
    table = table_of(texts(3, 0), texts(3, 1))
    for name, values in (("simple", [1.0, 0, 0.5]), ("partial", [0.9, 0, 0.3]), ("complete", [0.6, 0, 0])):
        table[f"radgraph_{name}"] = np.float32(values)
    rng = np.random.default_rng(0)
    for side in ("hypothesis", "reference"):
        for name in OBSERVATIONS:
            table[f"chexbert_{side}:{name}"] = rng.integers(0, 4, 3).astype(np.int8)
    found = score(table)
    assert fault(table) is None
    assert found["radgraph_f1"] == pytest.approx(0.4, abs=1e-6)
    assert found["radgraph_simple"] == pytest.approx(0.5, abs=1e-6)
    assert 0 <= found["chexbert_micro_14"] <= 1


def test_every_measure_is_a_score_and_resampled_sums_are_scores_of_resampled_tables():
    table = table_of(texts(30, 0), texts(30, 1), texts(30, 1))
    found = score(table)
    rows = np.random.default_rng(0).integers(0, 30, (5, 30))
    for name, measure in MEASURES.items():
        value = measure.of(table)
        assert found[name] is None if np.isnan(value) else found[name] == value
        terms = measure.terms(table)
        assert terms.shape[0] == 30
        assert np.isfinite(terms).all()
        together = measure.of_sums(terms[rows].sum(axis=1))
        np.testing.assert_array_equal(together, [measure.of(table.iloc[one]) for one in rows])
    assert set(KINDS["report_generation"].primaries) <= set(MEASURES)


def test_the_task_is_known():
    assert SCORERS["report_generation"] is score
    assert FAULTS["report_generation"] is fault
    assert ALL_MEASURES["report_generation"] is MEASURES


def test_a_sound_table_has_no_fault():
    assert fault(table_of(texts(5, 0), texts(5, 1), texts(5, 1))) is None


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("bleu_match_1", 1000, "more n-grams match"),
        ("bleu_total_2", -1, "below 0"),
        ("bleu_total_2", 1.5, "no whole number"),
        ("rouge_l", 1.2, "above its highest"),
        ("rouge_l", np.nan, "NaN"),
        ("cider", 10.5, "above its highest"),
        ("reference_length", 0, "no word"),
    ],
)
def test_a_table_that_cannot_be_is_refused(column, value, said):
    table = table_of(texts(5, 0), texts(5, 1)).astype({column: np.float64})
    table.loc[2, column] = value
    assert said in fault(table)


def test_a_table_without_a_column_or_with_words_is_refused():
    table = table_of(texts(5, 0), texts(5, 1))
    assert fault(table.drop(columns="bleu_total_4")) == "it has no column bleu_total_4"
    assert fault(table.assign(note="the heart is large")) == "a count or a score is not a number"

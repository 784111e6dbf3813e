from __future__ import annotations

import os
import random
import stat

import numpy as np
import pytest
from report_texts import iu_xray, needs_iu_xray, needs_java, random_reports, retold

from benchx.errors import UsageError
from benchx.metrics.reports.bleu import BLEU_COLUMNS, bleu_of_sums
from benchx.metrics.reports.java import JavaError, NoJava, find_java
from benchx.metrics.reports.meteor import METEOR_COLUMNS, meteor_of_sums
from benchx.metrics.reports.scoring import score_reports


@pytest.fixture
def no_java(monkeypatch):
    monkeypatch.setenv("PATH", "")


def program(folder, text):
    """Put a `java` of our own on the PATH."""
    path = folder / "java"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin"


def test_worked_by_hand(no_java):
    found = score_reports(["No effusion.", "Heart is big."], ["No pleural effusion.", "Heart is normal."])
    # 4 of 5 unigrams, 1 of 3 bigrams, 5 tokens for 6
    assert found.scores["bleu_1"] == pytest.approx(4 / 5 * np.exp(1 - 6 / 5), abs=1e-9)
    assert found.scores["bleu_2"] == pytest.approx(np.sqrt(4 / 5 * 1 / 3) * np.exp(1 - 6 / 5), abs=1e-9)
    f = [(1 + 1.44) * p * r / (r + 1.44 * p) for p, r in ((2 / 2, 2 / 3), (2 / 3, 2 / 3))]
    assert found.cases["rouge_l"].tolist() == pytest.approx(f, abs=1e-12)
    assert found.scores["rouge_l"] == pytest.approx(np.mean(f), abs=1e-12)
    assert found.n == 2
    assert not {"report", "text"} & set(found.cases.columns)


def test_without_java_meteor_is_unavailable_and_never_0(no_java):
    found = score_reports(["no effusion", "x"], ["no effusion", "y"])
    assert found.tokenizer == "ptb-python"
    assert found.scores["meteor"] is None
    assert found.unavailable == {"meteor": "no java on the PATH"}
    assert not [name for name in found.cases if name.startswith("meteor")]
    assert list(found.scores) == ["bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider"]


@needs_java
@pytest.mark.slow
def test_with_java_the_scores_follow_from_the_cases():
    rng = random.Random(0)
    references = random_reports(rng, 20)
    found = score_reports([*references[:5], "", *random_reports(rng, 14)], references)
    assert (found.tokenizer, found.unavailable) == ("ptb-java", {})
    bleu = bleu_of_sums(found.cases[list(BLEU_COLUMNS)].to_numpy().sum(axis=0))
    assert bleu.tolist() == [found.scores[f"bleu_{order}"] for order in (1, 2, 3, 4)]
    counts = found.cases[list(METEOR_COLUMNS)].to_numpy()
    assert meteor_of_sums(counts.sum(axis=0)) == found.scores["meteor"]
    assert found.cases["meteor"].tolist() == meteor_of_sums(counts).tolist()
    assert found.cases["meteor"][:5].tolist() == pytest.approx([1] * 5)
    assert found.cases["meteor"][5] == 0
    assert found.scores["cider"] == pytest.approx(found.cases["cider"].mean(), abs=1e-12)
    assert np.isfinite(found.cases.to_numpy()).all()
    assert {str(kind) for kind in found.cases[[*BLEU_COLUMNS, *METEOR_COLUMNS]].dtypes} == {"int64"}


@needs_java
@needs_iu_xray
@pytest.mark.slow
def test_500_real_pairs_score_what_pycocoevalcap_scores():
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    rng = random.Random(0)
    references = rng.sample(iu_xray("test"), 500)
    hypotheses = rng.sample(references, 500)
    found = score_reports(hypotheses, references)
    theirs, ours = (
        PTBTokenizer().tokenize({place: [{"caption": text}] for place, text in enumerate(texts)})
        for texts in (references, hypotheses)
    )
    meteor = Meteor()
    try:
        expected = {
            "meteor": meteor.compute_score(theirs, ours),
            "rouge_l": Rouge().compute_score(theirs, ours),
            "cider": Cider().compute_score(theirs, ours),
        }
    finally:
        for pipe in (meteor.meteor_p.stdin, meteor.meteor_p.stdout, meteor.meteor_p.stderr):
            pipe.close()
        meteor.meteor_p.wait()
    for name, (score, cases) in expected.items():
        assert found.scores[name] == pytest.approx(float(score), abs=1e-9), name
        assert found.cases[name].tolist() == pytest.approx(list(cases), abs=1e-9), name
    bleu, _ = Bleu(4).compute_score(theirs, ours, verbose=0)
    assert [found.scores[f"bleu_{order}"] for order in (1, 2, 3, 4)] == pytest.approx(bleu, abs=1e-12)


@pytest.mark.slow
def test_torchmetrics_agrees_on_rouge(no_java):
    from torchmetrics.functional.text import rouge_score

    rng = random.Random(3)
    references = random_reports(rng, 20)
    hypotheses = retold(rng, references)
    ours = score_reports(hypotheses, references).cases["rouge_l"]
    for place, pair in enumerate(zip(hypotheses, references, strict=True)):
        tokens = [text.replace("(", "lrb").replace(")", "rrb").replace(" .", "").replace(" ,", "") for text in pair]
        other = rouge_score(*tokens, rouge_keys="rougeL", normalizer=lambda text: text, tokenizer=str.split)
        p, r = float(other["rougeL_precision"]), float(other["rougeL_recall"])
        assert ours[place] == pytest.approx(2.44 * p * r / (r + 1.44 * p), abs=1e-6)


def test_empty_hypotheses_score_0(no_java):
    found = score_reports(["", " . ", "no effusion"], ["no effusion", "heart", "no effusion"])
    assert found.cases["rouge_l"].tolist() == [0, 0, 1]
    assert found.cases["cider"].tolist()[:2] == [0, 0]
    assert np.isfinite(found.cases.to_numpy()).all()
    nothing = score_reports(["", ""], ["no effusion", "heart"])
    assert all(score is None or score < 1e-12 for score in nothing.scores.values())


def test_one_report_and_a_report_of_5000_words(no_java):
    one = score_reports(["no effusion"], ["no effusion"])
    assert (one.scores["rouge_l"], one.scores["cider"]) == (1, 0)
    long = score_reports(["no effusion " * 2500, "clear"], ["no effusion\nor edema", "lungs clear"])
    assert long.cases["hypothesis_length"].tolist() == [5000, 1]
    assert 0 < long.scores["bleu_1"] < 0.01


@pytest.mark.parametrize(
    ("hypotheses", "references", "says"),
    [
        (["a"], ["a", "b"], "1 hypotheses and 2 references"),
        ([], [], "no reports"),
        (["a", "b", "c"], ["a", "", "  "], "reference 2 has no word, nor have 1 more"),
        (["a"], ["..."], "reference 1 has no word"),
    ],
)
def test_what_cannot_be_scored_is_refused(no_java, hypotheses, references, says):
    with pytest.raises(UsageError, match=says):
        score_reports(hypotheses, references)


def test_a_java_that_does_not_run_counts_as_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", program(tmp_path, "echo Unable to locate a Java Runtime. >&2; exit 1"))
    assert find_java() == NoJava(f"{tmp_path / 'java'} does not run: Unable to locate a Java Runtime.")
    assert score_reports(["a"], ["a"]).unavailable["meteor"].endswith("Java Runtime.")


@pytest.mark.parametrize(
    ("does", "says"),
    [
        (
            "echo 'Exception in thread \"main\" java.lang.OutOfMemoryError' >&2; echo at x >&2; exit 1",
            "OutOfMemoryError",
        ),
        ("exit 3", "java ended with 3: it said nothing"),
        ("kill -9 $$", "java ended with -9"),
        ("cat; echo", "2 reports went in and 3 lines came out"),
        ("printf 'a\nb'", "2 reports went in"),
    ],
)
def test_a_java_that_fails_is_an_error(tmp_path, monkeypatch, does, says):
    monkeypatch.setenv("PATH", program(tmp_path, f'[ "$1" = -version ] && exit 0\n{does}'))
    with pytest.raises(JavaError, match="PTB tokenizer") as error:
        score_reports(["secret", "secret"], ["secret", "secret"])
    assert says in error.value.why
    assert "secret" not in str(error.value)


def test_a_meteor_that_dies_is_an_error(tmp_path, monkeypatch):
    does = '[ "$1" = -version ] && exit 0\n[ "$1" = -cp ] && exec cat\necho no memory >&2; exit 1'
    monkeypatch.setenv("PATH", program(tmp_path, does))
    with pytest.raises(JavaError, match="METEOR has failed") as error:
        score_reports(["a b"], ["a c d"])
    assert "no memory" in error.value.why
    assert "tokens" in error.value.todo

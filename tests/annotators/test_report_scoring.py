"""Scoring with a stand-in for the models' processes, which writes down what it is asked."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tiny_scorers import write_encoder, write_radgraph

from benchx.annotators import scoring
from benchx.annotators.cache import text_digest
from benchx.annotators.chexbert import OBSERVATIONS
from benchx.annotators.rewards import checked_annotation, radgraph_f1
from benchx.annotators.scoring import chexbert_cases, radgraph_f1_cases
from benchx.errors import BenchxError, StoreError, UsageError

STAND_IN = """
import sys
from benchx.annotators.serving import serve
def radgraph(text):
    if text == "die":
        raise ValueError
    return {"text": text, "entities": {str(n): {"tokens": word, "label": "OBS-DP", "relations": []}
                                       for n, word in enumerate(text.split())}}
def chexbert(text):
    return [len(text) % 4] * 13 + [len(text) % 2]
def load():
    annotate = {"radgraph-xl": radgraph, "chexbert": chexbert, "wrong": lambda text: {"other": 1}}[sys.argv[1]]
    def noted(text):
        with open(sys.argv[2], "a") as file:
            file.write(text + "\\n")
        return annotate(text)
    return noted
serve(load)
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """What the stand-in was asked so far."""
    notes = tmp_path / "asked"
    notes.touch()
    monkeypatch.setattr(
        scoring, "command", lambda scorer, model, device: [sys.executable, "-c", STAND_IN, scorer.name, str(notes)]
    )
    return lambda: notes.read_text().splitlines()


@pytest.fixture
def radgraph(tmp_path):
    model = write_radgraph(tmp_path)
    (model / "weights.th").write_bytes(b"weights")
    return model


@pytest.fixture
def chexbert(tmp_path):
    write_encoder(tmp_path / "chexbert")
    (tmp_path / "chexbert" / "chexbert.pth").write_bytes(b"weights")
    return tmp_path / "chexbert"


def entities(text):
    return {"entities": {str(n): {"tokens": w, "label": "OBS-DP", "relations": []} for n, w in enumerate(text.split())}}


def test_a_text_is_annotated_once_and_empty_ones_never(radgraph, tmp_path, asked):
    hypotheses = ["mild effusion", "mild effusion", "", " \n", "no effusion"]
    references = ["mild effusion", "no effusion", "no effusion", "mild effusion", ""]
    seen = []
    found = radgraph_f1_cases(hypotheses, references, radgraph, tmp_path, advance=lambda *at: seen.append(at))
    assert list(found.columns) == ["radgraph_simple", "radgraph_partial", "radgraph_complete"]
    assert found.to_numpy().tolist() == [[1, 1, 1], [0.5, 0.5, 0.5], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert asked() == ["mild effusion", "no effusion"]
    assert seen == [(0, 2), (1, 2), (2, 2)]
    again = radgraph_f1_cases(["no effusion"], ["mild opacity"], radgraph, tmp_path)
    assert again.to_numpy().tolist() == [[0, 0, 0]]
    assert asked() == ["mild effusion", "no effusion", "mild opacity"]
    radgraph_f1_cases(hypotheses, references, radgraph, tmp_path, device="none is needed")
    assert len(asked()) == 3


def test_nothing_at_all_is_no_row(radgraph, chexbert, tmp_path, asked):
    assert radgraph_f1_cases([], [], radgraph, tmp_path).shape == (0, 3)
    assert chexbert_cases([], [], chexbert, tmp_path).shape == (0, 28)
    assert asked() == []


def test_labels_are_small_integers_in_named_columns(chexbert, tmp_path, asked):
    found = chexbert_cases(["a", ""], ["abc", "ab"], chexbert, tmp_path)
    assert found.dtypes.unique().tolist() == [np.dtype("int8")]
    assert list(found.columns[:14]) == [f"chexbert_hypothesis:{name}" for name in OBSERVATIONS]
    assert list(found.columns[14:]) == [f"chexbert_reference:{name}" for name in OBSERVATIONS]
    assert found.iloc[:, :14].to_numpy().tolist() == [[1] * 14, [0] * 14]
    assert found.iloc[:, 14:].to_numpy().tolist() == [[3] * 13 + [1], [2] * 13 + [0]]


def test_another_model_is_asked_anew(radgraph, tmp_path, asked):
    radgraph_f1_cases(["a"], ["a"], radgraph, tmp_path)
    (radgraph / "weights.th").write_bytes(b"other")
    radgraph_f1_cases(["a"], ["a"], radgraph, tmp_path)
    assert asked() == ["a", "a"]


def test_the_cache_holds_no_text(radgraph, tmp_path, asked):
    radgraph_f1_cases(["mild  effusion"], ["mild  effusion"], radgraph, tmp_path / "cache")
    (file,) = (tmp_path / "cache" / "annotations").glob("*.jsonl")
    assert json.loads(file.read_text()) == {
        "text": text_digest("mild  effusion"),
        "annotation": entities("mild effusion"),
    }


def test_after_a_failure_what_was_annotated_is_kept_and_the_rest_is_asked(radgraph, tmp_path, asked):
    with pytest.raises(BenchxError, match="'radgraph-xl' died"):
        radgraph_f1_cases(["a", "die"], ["b", "c"], radgraph, tmp_path)
    radgraph_f1_cases(["a", "c"], ["b", "c"], radgraph, tmp_path)
    assert asked() == ["a", "die", "c", "b"]


@pytest.mark.parametrize("torn", [b'{"text": "0', b"\xff\xfe\n", b"[]\n", b'{"text": "0", "annotation": []}\n'])
def test_a_torn_or_foreign_line_is_passed_over(radgraph, tmp_path, asked, torn):
    radgraph_f1_cases(["a"], ["a"], radgraph, tmp_path)
    (file,) = (tmp_path / "annotations").glob("*.jsonl")
    with file.open("ab") as broken:
        broken.write(torn)
    radgraph_f1_cases(["a"], ["b"], radgraph, tmp_path)
    radgraph_f1_cases(["b"], ["b"], radgraph, tmp_path)
    assert asked() == ["a", "b"]


def test_two_at_once_ask_once(radgraph, tmp_path, asked):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: radgraph_f1_cases(["a b"], ["b"], radgraph, tmp_path), range(4)))
    assert all(one.iloc[0, 0] == pytest.approx(2 / 3) for one in found)
    assert asked() == ["a b", "b"]


def test_an_annotation_of_another_form_is_an_error_and_not_kept(radgraph, tmp_path, asked, monkeypatch):
    monkeypatch.setattr(
        scoring, "command", lambda *_: [sys.executable, "-c", STAND_IN, "wrong", str(tmp_path / "asked")]
    )
    with pytest.raises(BenchxError, match="another form"):
        radgraph_f1_cases(["a"], ["a"], radgraph, tmp_path)
    assert not list((tmp_path / "annotations").glob("*.jsonl"))


def test_annotations_made_elsewhere_take_the_models_place(tmp_path, asked):
    texts = ["mild effusion", "no effusion"]
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps({text_digest(text): entities(text) | {"text": text} for text in texts}))
    found = radgraph_f1_cases([texts[0], ""], [texts[1], texts[1]], file, tmp_path)
    assert tuple(found.iloc[0]) == radgraph_f1(entities(texts[0]), entities(texts[1]))
    assert tuple(found.iloc[1]) == (0, 0, 0)
    with pytest.raises(BenchxError, match=r"lacks 1 of the 2 texts"):
        radgraph_f1_cases(["another"], [texts[1]], file, tmp_path)
    assert asked() == []
    assert checked_annotation(entities(texts[0])) == entities(texts[0])


@pytest.mark.parametrize("content", ["[]", "{", '{"0": {"entities": 3}}', ""])
def test_a_file_that_is_none_of_annotations_is_one_error(tmp_path, content):
    file = tmp_path / "annotations.json"
    file.write_text(content)
    with pytest.raises(BenchxError, match="does not read as a file of annotations"):
        radgraph_f1_cases(["a"], ["a"], file, tmp_path)


def test_bad_arguments_are_named(radgraph, tmp_path):
    for score in (radgraph_f1_cases, chexbert_cases):
        with pytest.raises(UsageError, match="2 reports are to be scored against 1 references"):
            score(["a", "b"], ["a"], radgraph, tmp_path)
    for device in ("mps", "gpu", "cuda:", "cuda:x", ""):
        with pytest.raises(UsageError, match="scorers do not run on"):
            radgraph_f1_cases(["a"], ["a"], radgraph, tmp_path, device=device)
    with pytest.raises(UsageError, match="unknown scorer 'another'"):
        radgraph_f1_cases(["a"], ["a"], radgraph.rename(tmp_path / "another"), tmp_path)


def test_a_cache_that_cannot_be_written_is_one_error(radgraph, tmp_path, asked):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="annotations cannot be kept"):
        radgraph_f1_cases(["a"], ["a"], radgraph, tmp_path / "file")

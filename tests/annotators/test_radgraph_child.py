"""RadGraph itself, tiny and random, in its own process beside the installed transformers."""

from __future__ import annotations

import importlib.util
import json
import random

import pytest
from tiny_scorers import WORDS, make_weights_and_score, write_radgraph

from benchx.annotators.rewards import checked_annotation, radgraph_f1
from benchx.annotators.scoring import radgraph_f1_cases
from benchx.errors import BenchxError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("radgraph") is None, reason="radgraph is absent"),
]


def report(draw: random.Random, longest: int) -> str:
    words = [word for word in WORDS if not word.startswith("##")]
    return " ".join(draw.choice(words) for _ in range(draw.randint(2, longest)))


@pytest.fixture(scope="module", params=["radgraph", "radgraph-xl"])
def scored(request, tmp_path_factory):
    """A model, pairs of reports, and what radgraph alone says of them."""
    folder = tmp_path_factory.mktemp("scorers")
    draw = random.Random(1)
    hypotheses = [report(draw, 40) for _ in range(12)] + ["", "lung", "normal heart", "Right Lung.", "a.b\n(c)/2%,"]
    references = [report(draw, 120) for _ in range(12)] + ["lung", "", "normal heart", "right lung .", "x\u200by " * 9]
    model = write_radgraph(folder, request.param)
    return model, hypotheses, references, make_weights_and_score(model, folder / "scratch", hypotheses, references)


def test_scores_and_annotations_are_those_of_radgraph_alone(scored, tmp_path):
    model, hypotheses, references, (rewards, of_hypotheses, of_references) = scored
    found = radgraph_f1_cases(hypotheses, references, model, tmp_path)
    assert found.to_numpy().T.tolist() == rewards
    assert len({tuple(row) for row in found.to_numpy().tolist()}) > 8
    assert any(entity["relations"] for one in of_references for entity in one["entities"].values())
    rows = [row for row, pair in enumerate(zip(hypotheses, references, strict=True)) if all(pair)]
    for row, first, second in zip(rows, of_hypotheses, of_references, strict=True):
        assert tuple(found.iloc[row]) == radgraph_f1(checked_annotation(first), checked_annotation(second))


def test_nasty_texts_are_annotated_too(scored, tmp_path):
    model = scored[0]
    texts = [
        "right lung " * 2500,
        "x" * 20_000,
        "a." * 5000,
        "\\n \\n",
        "肺 \U0001fac1",
        ".",
        "\x00 lung",
        "no\u2028effusion",
    ]
    found = radgraph_f1_cases(texts, texts, model, tmp_path)
    assert len(found) == len(texts)
    assert found.isin([0.0, 1.0]).all(axis=None)
    assert found.iloc[0, 0] == 1.0


def test_a_read_only_model_is_left_as_it_is(scored, tmp_path):
    model = scored[0]
    before = sorted(file.name for file in model.rglob("*"))
    for folder in (model, model / "vocabulary"):
        folder.chmod(0o555)
    try:
        radgraph_f1_cases(["right lung"], ["left lung"], model, tmp_path)
    finally:
        for folder in (model, model / "vocabulary"):
            folder.chmod(0o755)
    assert sorted(file.name for file in model.rglob("*")) == before


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.json", b"{}", "is not the configuration of a RadGraph model"),
        ("weights.th", b"nonsense", "died"),
        ("encoder/config.json", b"{", "died"),
    ],
)
def test_a_broken_model_is_one_error(scored, tmp_path, file, content, said):
    model = scored[0]
    kept = (model / file).read_bytes()
    (model / file).write_bytes(content)
    try:
        with pytest.raises(BenchxError, match=said) as stopped:
            radgraph_f1_cases(["right lung"], ["left lung"], model, tmp_path)
    finally:
        (model / file).write_bytes(kept)
    assert len(str(stopped.value).splitlines()) == 3
    assert "right lung" not in str(stopped.value)
    assert json.loads((model / "config.json").read_bytes())["model"]["type"] == "dygie"

"""CheXbert's labeler, tiny and random, against the same network written down once more."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
import torch
from tiny_scorers import BERT, SPECIAL, WORDS, write_chexbert

from benchx.annotators.chexbert_model import load_labeler
from benchx.annotators.scoring import chexbert_cases
from benchx.errors import BenchxError, CheckpointError


def reference_labels(model, text: str) -> list[int]:
    """Label a text with transformers' BERT, the checkpoint read by torch, and word pieces split here."""
    from transformers import BertConfig, BertModel

    state = torch.load(model / "chexbert.pth", weights_only=True)["model_state_dict"]
    bert = BertModel(BertConfig(**BERT), add_pooling_layer=False).eval()
    own = {name.removeprefix("module.bert."): value for name, value in state.items() if name.startswith("module.bert.")}
    bert.load_state_dict({name: own[name] for name in bert.state_dict()})
    vocabulary = [*SPECIAL, *WORDS]
    words = re.findall(r"\w+|[^\w\s]", re.sub(r"\s+", " ", text).strip().lower())
    ids = [vocabulary.index(word) if word in WORDS else 1 for word in words]
    ids = [2, *ids, 3]
    if len(ids) > 512:
        ids = [*ids[:511], 3]
    with torch.no_grad():
        token = bert(torch.tensor([ids])).last_hidden_state[0, 0]
        heads = [(state[f"module.linear_heads.{i}.weight"], state[f"module.linear_heads.{i}.bias"]) for i in range(14)]
        return [int((weight @ token + bias).argmax()) for weight, bias in heads]


def reports(number: int) -> list[str]:
    draw = random.Random(2)
    words = [word for word in WORDS if not word.startswith("##")] + ["unheard", "Right", "LUNG"]
    drawn = [" ".join(draw.choice(words) for _ in range(draw.randint(1, 60))) for _ in range(number)]
    return [*drawn, "right\n\n lung\t.  ", "lung", "no effusion " * 2500, "\u00a0no\u00a0effusion"]


def test_labels_are_those_of_the_network_written_down_again(tmp_path):
    model = write_chexbert(tmp_path)
    label = load_labeler(model, "cpu")
    texts = reports(30)
    found = [label(text) for text in texts]
    assert found == [reference_labels(model, text) for text in texts]
    assert len({tuple(labels) for labels in found}) > 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"without": "module.linear_heads.13.bias"}, "missing or of another shape: linear_heads.13.bias"),
        ({"extra": "module.linear_heads.14.bias"}, "not the labeler's: linear_heads.14.bias"),
        ({"poison": True}, "NaN or infinite: linear_heads.0.bias"),
    ],
)
def test_what_is_not_the_whole_labeler_is_refused(tmp_path, options, said):
    with pytest.raises(CheckpointError, match=re.escape(said)):
        load_labeler(write_chexbert(tmp_path, **options), "cpu")


def test_the_configuration_of_another_bert_is_refused(tmp_path):
    model = write_chexbert(tmp_path)
    text = (model / "config.json").read_text()
    (model / "config.json").write_text(text.replace('"intermediate_size": 16', '"intermediate_size": 24'))
    with pytest.raises(CheckpointError, match="of another shape"):
        load_labeler(model, "cpu")


@pytest.mark.slow
def test_the_process_labels_as_the_network_does(tmp_path):
    model = write_chexbert(tmp_path)
    texts = reports(6)
    found = chexbert_cases([*texts, ""], [*texts[::-1], "lung"], model, tmp_path).to_numpy()
    expected = np.array([reference_labels(model, text) for text in texts])
    assert (found[:-1, :14] == expected).all()
    assert (found[:-1, 14:] == expected[::-1]).all()
    assert (found[-1, :14] == 0).all()


@pytest.mark.slow
def test_a_broken_labeler_is_one_error(tmp_path):
    model = write_chexbert(tmp_path, without="module.linear_heads.0.weight")
    with pytest.raises(BenchxError, match="exit code 1: .* is not the labeler that config.json describes") as stopped:
        chexbert_cases(["lung"], ["lung"], model, tmp_path)
    assert len(str(stopped.value).splitlines()) == 3

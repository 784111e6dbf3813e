"""Question answering on simulated radiographs: frozen through the command that users call, and trained along."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from torch import nn

import benchx
from benchx.errors import NotApplicable
from benchx.images.geometry import prepare
from benchx.methods.cards.schema import Card
from benchx.methods.encoders.base import Encoder
from benchx.methods.fusion import FUSIONS
from benchx.methods.fusion.base import Fusion
from benchx.methods.text.entities import placed
from benchx.phantom.writers import write
from benchx.planning import plan
from benchx.protocols import read_protocol
from benchx.results.store import Store
from benchx.suites import read_suite
from benchx.tasks.vqa.answerer import Answerer
from benchx.tasks.vqa.cases import read_cases
from benchx.tasks.vqa.run import run
from benchx.tasks.vqa.scores import fault, score
from benchx.tasks.vqa.sources import trained
from benchx.training.recipe import recipe_of
from benchx.workspace import Workspace, cell_input

METHOD = "random-efficientnet-lite0"
PROTOCOL = {
    "kind": "answer",
    "input": {
        "preprocessing": "suite",
        "size": 64,
        "resize": "stretch",
        "interpolation": "bilinear",
        "mean": 0.5,
        "std": 0.25,
    },
    "feature_batch": 16,
    "encoder": "frozen",
    "questions": "minilm",
    "head": "linear",
    "epochs": 3,
    "batch_size": 32,
    "lr": 0.0001,
    "head_lr": 0.001,
    "weight_decay": 0.01,
    "patience": 50,
    "precision": "fp32",
}
CARD = """
name: joint
title: a small method that reads pairs
paper: none
code: none
licence: none
weights: {seed: 0}
encoder: {name: efficientnet_lite0}
input: {size: 64, resize: stretch, mean: [0.5], std: [0.25]}
pooling: mean
text:
  name: bert
  arguments: {vocabulary: 99, layers: 1, width: 384, pooling: cls}
  tokenizer: {words: 99, max_length: 12}
exposure: []
"""


class Product(Fusion):
    """The product of both sides, each through one layer."""

    def __init__(self) -> None:
        super().__init__(dim=16, matches=False)
        self.image, self.text = nn.Linear(1280, 16), nn.Linear(384, 16)

    def forward(self, encoder, images, text):
        return self.image(images.pooled) * self.text(text.pooled)


def suite(folder: Path, split: str = "official", **options: object) -> str:
    path = folder / "tiny.yaml"
    content = {
        "name": "tiny",
        "version": 1,
        "description": "questions about a few phantoms",
        "short_side": 96,
        "fractions": [1.0],
        "cut_validation": True,
        "seeds": [0],
        "datasets": {"vqa-rad": {"split": split, "tasks": {"vqa": {"protocols": ["answer"], "primary": "accuracy"}}}},
        "protocols": {"answer": PROTOCOL | options},
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


def card(text: str) -> Card:
    return Card.model_validate(yaml.safe_load(text))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write("vqa-rad", root / "vqa-rad", 36, 3, 64, lambda done, total: None)
    return root


def test_every_test_question_is_answered(data, tmp_path):
    summary = benchx.run(suite(tmp_path), [METHOD], data_root=data, store=tmp_path / "store", device="cpu")
    assert summary.counts == {"run": 1}
    store = benchx.Store(tmp_path / "store")
    (record,) = store.records()
    entries = json.loads((data / "vqa-rad" / "testset.json").read_text())
    table = store.predictions(record.key)
    assert sorted(table["sample"]) == sorted(str(entry["qid"]) for entry in entries)
    assert fault(table) is None
    assert record.scores == score(table)
    assert record.scores["n"] == len(entries)
    assert set(record.scores["per_kind"]) == {entry["question_type"] for entry in entries}
    assert record.details["reading"]["text"] == "minilm"
    (fold,) = record.details["folds"]
    assert fold["questions"]["test"] == len(entries)
    assert fold["images"]["test"] == len({entry["image_name"] for entry in entries}) == 8
    assert (fold["shared_units"], record.provenance.shared_units, record.provenance.unit) == (0, 0, "image")
    assert fold["outside_vocabulary"] == int((table["answerable"] == 0).sum())
    assert fold["features"] == "frozen"


def test_answers_are_kept_apart(data, tmp_path):
    benchx.run(suite(tmp_path), [METHOD], data_root=data, store=tmp_path / "store", device="cpu")
    (private,) = (tmp_path / "store").rglob("answers.parquet")
    answers = pd.read_parquet(private).set_index("sample")
    truth = {str(entry["qid"]): entry["answer"].lower().replace("-", " ") for entry in _test_entries(data)}
    assert answers["truth"].to_dict() == truth
    store = benchx.Store(tmp_path / "store")
    (record,) = store.records()
    table = store.predictions(record.key).set_index("sample")
    right = (answers["answer"] == answers["truth"]).loc[table.index]
    np.testing.assert_array_equal(right, table["correct"] == 1)
    texts = set(table.reset_index().select_dtypes(["object", "string"]).columns)
    assert texts == {"sample", "cluster", "group:question"}
    written = private.with_name("record.json").read_text()
    assert not any(entry["question"] in written for entry in _test_entries(data))


def test_five_folds_answer_every_question(data, tmp_path):
    benchx.run(suite(tmp_path, "cv5", epochs=1), [METHOD], data_root=data, store=tmp_path / "store", device="cpu")
    (record,) = benchx.Store(tmp_path / "store").records()
    listed = json.loads((data / "vqa-rad" / "trainset.json").read_text())
    assert record.scores["n"] == len(listed) + len(_test_entries(data))
    assert len(record.details["folds"]) == 5
    assert record.scores["accuracy_unseen"] == record.scores["accuracy"]


def _test_entries(data: Path) -> list[dict[str, str]]:
    return json.loads((data / "vqa-rad" / "testset.json").read_text())


def _workspace(folder: Path, data: Path, *cards: Card) -> Workspace:
    return Workspace(Store(folder / "store"), cards={one.name: one for one in cards}, data_root=data)


def test_a_method_without_words_is_not_applicable_where_it_is_to_read_them(data, tmp_path):
    for encoder in ("frozen", "trained"):
        (cell,) = plan(read_suite(suite(tmp_path, encoder=encoder, questions="own")), [METHOD])
        with pytest.raises(NotApplicable, match="reads no text"):
            run(cell, _workspace(tmp_path, data), tmp_path / "work")


def test_the_question_alone_is_read_by_a_method_that_sees_nothing(data, tmp_path):
    (cell,) = plan(read_suite(suite(tmp_path, epochs=30)), ["minilm"])
    outcome = run(cell, _workspace(tmp_path, data), tmp_path / "work")
    assert outcome.details["reading"]["joint"] == "text alone"
    assert outcome.scores["per_kind"]["MODALITY"]["accuracy"] == 1


JOINT = CARD.replace("exposure", "fusion: {name: product}\nexposure")


@pytest.mark.parametrize("kind", ["own", "other", "fusion", "text alone"])
def test_a_method_is_trained_along_each_part_at_its_rate(data, tmp_path, monkeypatch, kind):
    monkeypatch.setitem(FUSIONS, "product", Product)
    method = card(JOINT if kind == "fusion" else CARD)
    if kind == "text alone":
        method = method.model_copy(update={"encoder": None, "input": None, "pooling": None})
    reader = card(CARD.replace("joint", "reader").replace("width: 384", "width: 768"))
    options = {"encoder": "trained", "questions": "reader" if kind == "other" else "own", "fusion_lr": 0.0005}
    (cell,) = plan(read_suite(suite(tmp_path, **options)), ["joint"])
    workspace = _workspace(tmp_path, data, method, reader)
    cases, protocol = read_cases(workspace.dataset(cell.reading).samples), read_protocol(cell.settings["protocol"])
    source = trained(cell, protocol, workspace, cases)
    assert source.dim == {"own": 1280 + 384, "other": 1280 + 768, "fusion": 16, "text alone": 384}[kind]
    assert source.kind == "trained"
    model = Answerer(source, 5, protocol, 0, "cpu")
    rates = {id(one): group["base_lr"] for group in model.groups(recipe_of(protocol)) for one in group["params"]}
    assert set(rates) == {id(one) for one in model.parameters()}
    found = {name: rates[id(one)] for name, one in model.named_parameters()}
    expected = {name: 0.001 if name.startswith("head.") else 0.0005 if ".fusion." in name else 0.0001 for name in found}
    assert found == expected
    assert any(".fusion." in name for name in found) == (kind == "fusion")
    # A method's tensors are kept once, not again under the name of who reads.
    assert len(model.state_dict()) == len({tensor.data_ptr() for tensor in model.state_dict(keep_vars=True).values()})
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    model.loss_sum((*source.inputs(np.arange(6)), torch.arange(6) % 5)).backward()
    with torch.no_grad():
        for one in model.parameters():
            if one.grad is not None:
                one -= one.grad
    moved = {name for name, one in model.named_parameters() if not torch.equal(one, before[name])}
    parts = {
        "head": "head.",
        "image": "features.method.trunk.",
        "text": "features.asked.text." if kind == "other" else "features.method.text.",
        "fusion": "features.method.fusion.",
    }
    learnt = {part for part, prefix in parts.items() if any(name.startswith(prefix) for name in moved)}
    also = {"own": {"image"}, "other": {"image"}, "fusion": {"image", "fusion"}, "text alone": set()}
    assert learnt == {"head", "text"} | also[kind]


class Naming(Product):
    """The product, times the first entity of the text."""

    def forward(self, encoder, images, text):
        return super().forward(encoder, images, text) * text.entities[:, :1, 0]


def test_a_method_that_is_trained_along_reads_the_entities_of_its_texts(data, tmp_path, monkeypatch):
    monkeypatch.setitem(FUSIONS, "product", Naming)
    plain = Encoder.tokenise

    def tokenise(self, texts):
        found = plain(self, texts)
        return replace(found, entities=placed([[(len(text), 1, 1)] for text in texts], found.mask))

    monkeypatch.setattr(Encoder, "tokenise", tokenise)
    (cell,) = plan(read_suite(suite(tmp_path, encoder="trained")), ["joint"])
    workspace = _workspace(tmp_path, data, card(JOINT))
    dataset, numbers = workspace.dataset(cell.reading), np.array([5, 0, 3])
    cases, protocol = read_cases(dataset.samples), read_protocol(cell.settings["protocol"])
    source = trained(cell, protocol, workspace, cases)
    encoder = workspace.load_encoder("joint", 64, text=True)
    images = prepare(dataset.pixels.images(cases.images[numbers]), cell_input(cell, protocol.input, workspace))
    with torch.no_grad():
        expected = encoder.fuse(encoder.encode(images), encoder.encode_text([cases.texts[one] for one in numbers]))
        assert torch.allclose(source.features(*source.inputs(numbers)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_a_trained_method_answers_and_a_killed_training_goes_on(data, tmp_path, monkeypatch):
    monkeypatch.setitem(FUSIONS, "product", Product)
    (cell,) = plan(read_suite(suite(tmp_path, encoder="trained", epochs=2, lr=0.001)), ["joint"])
    outcomes = [run(cell, _workspace(tmp_path, data, card(JOINT)), tmp_path / name) for name in ("work", "work", "new")]
    for other in outcomes[1:]:
        pd.testing.assert_frame_equal(other.predictions, outcomes[0].predictions)
    (fold,) = outcomes[0].details["folds"]
    assert fold["features"] == "trained"
    assert fault(outcomes[0].predictions) is None


@pytest.mark.slow
def test_looking_at_phantoms_answers_more_than_the_question_alone(tmp_path):
    write("vqa-rad", tmp_path / "vqa-rad", 500, 5, 96, lambda done, total: None)
    made = suite(tmp_path, head="mlp", epochs=30, input=PROTOCOL["input"] | {"size": 96})
    scores = {}
    for method in ("minilm", "imagenet-efficientnet-lite0"):
        (cell,) = plan(read_suite(made), [method])
        scores[method] = run(cell, _workspace(tmp_path, tmp_path), tmp_path / method).scores
    alone, seeing = scores["minilm"], scores["imagenet-efficientnet-lite0"]
    assert alone["accuracy"] > alone["majority_accuracy"] + 0.1
    assert seeing["accuracy"] > alone["accuracy"] + 0.05
    assert seeing["per_kind"]["PLANE"]["accuracy"] > alone["per_kind"]["PLANE"]["accuracy"] + 0.1

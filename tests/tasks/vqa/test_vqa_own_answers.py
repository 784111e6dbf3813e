"""Questions answered by a method's own head, against that head on every pair by itself, and lists that do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from small_fuser import Both, cards
from test_vqa_run import METHOD, suite
from tiny_questions import protocol
from torch import nn

from benchx.cell import cell_key, execute
from benchx.errors import BenchxError, UsageError, WeightsMissing
from benchx.images.geometry import prepare
from benchx.methods.cards.reading import read_card
from benchx.methods.fusion import FUSIONS
from benchx.phantom.writers import write
from benchx.planning import Cell, plan
from benchx.protocols import read_protocol
from benchx.results.store import Store
from benchx.suites import read_suite
from benchx.tasks.vqa.cases import read_cases
from benchx.tasks.vqa.own import own_answers, own_vocabulary
from benchx.tasks.vqa.run import run
from benchx.workspace import Workspace, cell_input

LINES = ["Yes", "the PA", "no", "nobody asks for this"]
"""Of the answers to questions about phantoms, and one that is to none."""


class Choosing(Both):
    """The small fusion with a head of four answers."""

    def __init__(self) -> None:
        super().__init__(matches=False)
        self.answers = 4
        self.chooser = nn.Linear(self.dim, 4)

    def answer(self, fused):
        return self.chooser(fused)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write("vqa-rad", root / "vqa-rad", 24, 3, 64, lambda done, total: None)
    return root


@pytest.fixture
def workspace(data, tmp_path, monkeypatch) -> Workspace:
    made = cards(monkeypatch)
    monkeypatch.setitem(FUSIONS, "small_both", Choosing)
    (tmp_path / "weights" / "fuser").mkdir(parents=True)
    (tmp_path / "weights" / "fuser" / "answers.txt").write_text("\n".join(LINES) + "\n")
    return Workspace(Store(tmp_path / "store"), cards=made, data_root=data, weights_root=tmp_path / "weights")


def asking(folder: Path, method: str = "fuser", **options: object) -> Cell:
    (cell,) = plan(read_suite(suite(folder, **{"head": "own", "questions": "own"} | options)), [method])
    return cell


def listed(workspace: Workspace) -> Path:
    assert workspace.weights_root is not None
    return workspace.weights_root / "fuser" / "answers.txt"


def test_answers_are_those_of_the_methods_head(workspace, tmp_path):
    cell = asking(tmp_path)
    outcome = run(cell, workspace, tmp_path / "work")
    dataset, encoder = workspace.dataset(cell.reading), workspace.load_encoder("fuser", 64, text=True)
    cases = read_cases(dataset.samples)
    spec = cell_input(cell, read_protocol(cell.settings["protocol"]).input, workspace)
    names, truths = ["yes", "pa", "no", "nobody asks for this"], []
    expected = {}
    for number, row in enumerate(cases.images):
        images = prepare(dataset.pixels.images(np.array([row])), spec)
        with torch.inference_mode():
            fused = encoder.fuse(encoder.encode(images), encoder.encode_text([cases.texts[number]]))
            expected[cases.samples.table["sample"].iloc[number]] = names[int(encoder.fusion.chooser(fused).argmax())]
        truths.append(cases.answers[number])
    answers = outcome.private["answers"].set_index("sample")["answer"]
    assert answers.to_dict() == {name: expected[name] for name in answers.index}
    assert len(set(answers)) > 1
    truth = dict(zip(cases.samples.table["sample"], truths, strict=True))
    table = outcome.predictions.set_index("sample")
    assert table["correct"].tolist() == [int(answers[name] == truth[name]) for name in table.index]
    assert table["answerable"].tolist() == [int(truth[name] in names) for name in table.index]
    assert 0 < table["answerable"].mean() < 1
    assert (outcome.details["answers"], outcome.details["reading"]["joint"]) == ("own", "fused by the method")
    (fold,) = outcome.details["folds"]
    assert fold["vocabulary"] == 4
    assert fold["outside_vocabulary"] == int((table["answerable"] == 0).sum())
    assert "best_epoch" not in fold
    assert outcome.trials == ()


def test_guessing_is_still_by_training_answers(workspace, tmp_path):
    columns = ["sample", "seen_image", "majority", "majority_by_kind"]
    own, head = (
        run(asking(tmp_path, **options), workspace, tmp_path / "work").predictions[columns]
        for options in ({}, {"head": "linear", "epochs": 1})
    )
    assert own.equals(head)
    assert own["majority"].any()


def test_a_record_is_made_and_its_key_is_of_the_list(workspace, tmp_path):
    cell = asking(tmp_path)
    record = execute(cell, workspace)
    assert (record.state, record.details["answers"]) == ("done", "own")
    assert "nobody asks" not in json.dumps(record.details)
    assert cell_key(cell, workspace) == record.key
    listed(workspace).write_text("\n".join(reversed(LINES)))
    assert cell_key(cell, workspace) != record.key


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"yes\nno\n", "lists 2 answers, the head of 'fuser' has 4"),
        (b"", "lists 0 answers"),
        (b"yes\nno\nthe left\nLeft\n", "line 4 of .* is an answer that it had before"),
        (b"yes\nno\nleft\n\xff\n", "is no list of answers"),
    ],
)
def test_lists_that_are_not_the_heads(workspace, content, message):
    listed(workspace).write_bytes(content)
    with pytest.raises(UsageError, match=message):
        own_vocabulary("fuser", workspace)


def test_without_the_list_it_is_said_where_it_belongs(workspace, tmp_path):
    listed(workspace).unlink()
    with pytest.raises(WeightsMissing, match="no list of the 4 answers of 'fuser'") as caught:
        run(asking(tmp_path), workspace, tmp_path / "work")
    assert "fuser/answers.txt in BENCHX_WEIGHTS" in caught.value.todo
    workspace.weights_root = None
    with pytest.raises(WeightsMissing) as caught:
        own_vocabulary("fuser", workspace)
    assert caught.value.why == "no weights root is set"


@pytest.mark.parametrize("method", ["fuser", METHOD, "minilm"])
def test_a_method_without_answers_of_its_own(workspace, tmp_path, monkeypatch, method):
    monkeypatch.setitem(FUSIONS, "small_both", Both)
    record = execute(asking(tmp_path, method), workspace)
    assert record.state == "not-applicable"
    assert f"'{method}' has no answers of its own" in record.reason


def test_m3aes_list_has_the_answers_of_its_head(tmp_path):
    """498 in the file fine-tuned on VQA-RAD; the sizes are read without any weights."""
    (tmp_path / "m3ae-vqa-rad").mkdir()
    (tmp_path / "m3ae-vqa-rad" / "answers.txt").write_text("\n".join(f"answer {number}" for number in range(498)))
    workspace = Workspace(Store(tmp_path / "store"), weights_root=tmp_path)
    assert own_vocabulary("m3ae-vqa-rad", workspace)[497] == "answer 497"
    assert read_card("m3ae-vqa-rad").fusion.arguments["answers"] == 498


def test_nan_is_no_answer(workspace, tmp_path):
    cell = asking(tmp_path)
    with pytest.raises(BenchxError, match="NaN or infinite"):
        own_answers(cell, read_protocol(cell.settings["protocol"]), workspace, np.full((3, 16), np.nan, np.float32))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": "own", "encoder": "trained"}, "own trains nothing; set encoder: frozen"),
        ({"head": "own", "search": {"space": {"head_lr": [0.1, 0.01]}}}, "nothing to search over"),
        ({"search": {"space": {"head": ["linear", "own"]}}}, "nothing to search over"),
    ],
)
def test_nothing_is_trained_or_searched(changes, message):
    assert protocol(head="own").head == "own"
    with pytest.raises(ValidationError, match=message):
        protocol(**changes)


def test_a_suite_that_searches_with_it_is_refused(tmp_path):
    assert read_suite(suite(tmp_path, head="own"))
    with pytest.raises(UsageError, match="nothing to search over"):
        read_suite(suite(tmp_path, head="own", search={"space": {"head_lr": [0.1]}}))

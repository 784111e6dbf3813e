"""Heads trained on small features: what can be learnt from them, M3AE's loss, and trainings that are killed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_questions import cell, features, protocol, questions, setting
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from benchx.datasets.splits import Fold
from benchx.tasks.vqa.answerer import Answerer, answered, make_head
from benchx.tasks.vqa.cases import read_cases
from benchx.tasks.vqa.fitting import fit
from benchx.tasks.vqa.problem import pose
from benchx.tasks.vqa.sources import Source, kept
from benchx.training.loop import Diverged

SAMPLES = questions(60, 15)
FOLD = Fold(np.arange(80), np.arange(80, 90), np.arange(90, 120))


def silent(done: int, total: int) -> None: ...


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_looking_answers_more_than_the_question_alone(tmp_path, head):
    shares = {}
    for seen in (True, False):
        cases, made = setting(SAMPLES, protocol(head=head, epochs=20), seen=seen)
        (draw,) = pose(cell(), cases, [FOLD], "train")
        found = fit(made, draw, tmp_path / f"{seen}", silent)
        right = found.answers == draw.targets[draw.test]
        shares[seen] = right.mean()
        assert right[cases.closed[draw.test]].all()
        assert found.chosen["features"] == "frozen"
        assert found.chosen["selection"] == "validation"
        assert found.trials == ()
    assert shares[True] == 1
    assert shares[False] < 0.8


def test_the_loss_is_m3aes(tmp_path):
    torch.manual_seed(0)
    values = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    model = Answerer(kept(values, np.arange(10), "cpu"), 7, protocol(), 0, "cpu")
    targets = torch.randint(7, (10,))
    given = torch.from_numpy(values)
    theirs = binary_cross_entropy_with_logits(model(given), nn.functional.one_hot(targets, 7).float()) * 7
    batch = (given, targets)
    assert (model.loss_sum(batch) / model.count(batch)).item() == pytest.approx(theirs.item(), rel=1e-6)


def test_the_head_is_m3aes():
    head = make_head("mlp", 6, 3, 0)
    assert [type(layer) for layer in head] == [nn.Linear, nn.LayerNorm, nn.GELU, nn.Linear]
    assert [tuple(layer.weight.shape) for layer in (head[0], head[1], head[3])] == [(6, 6), (6,), (3, 6)]
    wide = make_head("linear", 400, 400, 1)
    assert wide.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert not wide.bias.any()
    assert torch.equal(make_head("linear", 6, 3, 5).weight, make_head("linear", 6, 3, 5).weight)


def test_features_are_standardised_on_training_questions_alone():
    values = np.random.default_rng(0).normal(3, 2, (20, 3)).astype(np.float32)
    values[:10, 2] = 5.1
    (given,) = kept(values, np.arange(10), "cpu").inputs(np.arange(20))
    train = given[:10].numpy()
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(axis=0)[:2], 1, atol=1e-5)
    assert not train[:, 2].any()
    np.testing.assert_allclose(given[10:, 2].numpy(), values[10:, 2] - np.float32(5.1), atol=1e-5)


def test_a_killed_training_ends_with_the_same_answers(tmp_path):
    cases, made = setting(SAMPLES, protocol(epochs=4, head_lr=0.001))
    (draw,) = pose(cell(), cases, [FOLD], "train")
    whole = fit(made, draw, tmp_path / "whole", silent)

    class Killed(Exception): ...

    def kill(done: int, total: int) -> None:
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        fit(made, draw, tmp_path / "killed", kill)
    again = fit(made, draw, tmp_path / "killed", silent)
    np.testing.assert_array_equal(again.answers, whole.answers)
    assert again.chosen == whole.chosen


def test_a_search_chooses_on_validation(tmp_path):
    search = {"space": {"head_lr": [1e-7, 0.01], "head": ["linear", "mlp"]}}
    cases, made = setting(SAMPLES, protocol(epochs=10, search=search))
    (draw,) = pose(cell(), cases, [FOLD], "train")
    found = fit(made, draw, tmp_path, silent)
    assert [trial["settings"] for trial in found.trials] == [
        {"head_lr": rate, "head": head} for rate in (1e-7, 0.01) for head in ("linear", "mlp")
    ]
    assert found.chosen["search"]["chosen"]["head_lr"] == 0.01
    assert max(trial["score"] for trial in found.trials) == found.trials[found.chosen["search"]["trial"]]["score"]


def test_no_test_answer_has_a_say_in_what_is_chosen(tmp_path):
    search = {"space": {"head_lr": [1e-3, 0.01], "head": ["linear", "mlp"]}}
    cases, made = setting(SAMPLES, protocol(epochs=6, search=search))
    (draw,) = pose(cell(), cases, [FOLD], "train")

    def with_others(questions: np.ndarray) -> tuple[list[int], dict[str, object], list[dict[str, object]]]:
        """Fit where some questions have the next answer of the vocabulary in place of theirs."""
        targets = draw.targets.copy()
        targets[questions] = (targets[questions] + 1) % len(draw.vocabulary)
        found = fit(made, replace(draw, targets=targets), tmp_path / str(len(questions)), silent)
        trials = [{name: value for name, value in trial.items() if name != "seconds"} for trial in found.trials]
        return found.answers.tolist(), found.chosen, trials

    true = with_others(FOLD.test[:0])
    assert with_others(FOLD.test) == true
    _, chosen, trials = with_others(FOLD.val)
    assert chosen["history"] != true[1]["history"]
    assert [trial["score"] for trial in trials] != [trial["score"] for trial in true[2]]


def test_without_validation_the_last_epoch_is_kept(tmp_path):
    cases, made = setting(SAMPLES, protocol(epochs=3))
    (draw,) = pose(cell(), cases, [Fold(FOLD.train, FOLD.val[:0], FOLD.test)], "train")
    assert fit(made, draw, tmp_path, silent).chosen["best_epoch"] == 3


def test_one_answer_alone_is_given_to_all(tmp_path):
    cases, made = setting(SAMPLES, protocol())
    (draw,) = pose(cell(), cases, [Fold(np.arange(1, 80, 2), FOLD.val, FOLD.test)], "train")
    assert draw.vocabulary == ("yes",)
    found = fit(made, draw, tmp_path, silent)
    assert found.answers.tolist() == [0] * 30


def test_nan_is_told_and_memory_that_runs_out_halves_the_batch():
    cases = read_cases(SAMPLES)
    values = features(cases, seen=True)
    source = kept(values, FOLD.train, "cpu")
    model = Answerer(source, 4, protocol(), 0, "cpu")
    sizes = []

    def narrow(one: torch.Tensor) -> torch.Tensor:
        sizes.append(len(one))
        if len(one) > 4:
            raise torch.OutOfMemoryError
        return one

    whole = answered(model, source, FOLD.test, 30)
    model.features = narrow
    np.testing.assert_array_equal(answered(model, source, FOLD.test, 30), whole)
    assert sizes[0] == 30
    assert max(sizes[-5:]) <= 4
    assert answered(model, source, FOLD.test[:0], 30).shape == (0,)
    broken = Source(source.dim, lambda numbers: (torch.full((len(numbers), source.dim), torch.nan),), narrow, None, "x")
    with pytest.raises(Diverged):
        answered(model, broken, FOLD.test, 4)

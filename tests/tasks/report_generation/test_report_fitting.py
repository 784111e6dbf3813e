"""Training on a few studies whose patches say which report is theirs."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest
import torch
from tiny_reports import TEXTS, protocol, setting, source, studies

from benchx.decoders.reports.cleaning import clean
from benchx.decoders.reports.decoder import Sizes
from benchx.decoders.reports.plain import plain
from benchx.decoders.reports.r2gen import r2gen
from benchx.images.geometry import normalise
from benchx.images.spec import InputSpec
from benchx.tasks.report_generation.comparing import bleu_4, chance
from benchx.tasks.report_generation.crops import random_crops
from benchx.tasks.report_generation.fitting import fit
from benchx.tasks.report_generation.problem import Draw
from benchx.tasks.report_generation.writer import _DECODERS, Writer, mean_loss, written
from benchx.training.loop import Diverged
from benchx.training.recipe import recipe_of

DRAW = Draw(0, np.arange(24), np.arange(24, 30), np.arange(30, 42))


@pytest.fixture(autouse=True)
def small_decoders(monkeypatch):
    sizes = Sizes(dim=64, heads=4, layers=2, hidden=64)
    for name, build in (("r2gen", r2gen), ("transformer", plain)):
        monkeypatch.setitem(_DECODERS, name, partial(build, sizes=sizes))


def silent(done: int, total: int) -> None: ...


@pytest.mark.parametrize("decoder", ["transformer", "r2gen"])
def test_it_learns_which_report_belongs_to_which_patches(tmp_path, decoder):
    options = protocol(decoder=decoder, epochs=20, evaluate_every=5, head_lr=0.003)
    made = setting(studies(42), options)
    found = fit(made, DRAW, tmp_path, silent)
    right = [clean(made.cases.reports[case], "iu-xray") for case in DRAW.test]
    assert found.cleaned == right
    assert np.mean([one == other for one, other in zip(found.generated, right, strict=True)]) >= 0.75
    assert found.chosen["vocabulary"] == len({word for text in TEXTS for word in clean(text, "iu-xray").split()}) + 1
    assert found.chosen["selection"] == "validation"
    scores = [row["score"] for row in found.chosen["history"] if row["evaluated"]]
    assert len(scores) == 4
    assert max(scores) > 0.7


def test_a_killed_training_ends_with_the_same_reports(tmp_path):
    made = setting(studies(42), protocol())
    whole = fit(made, DRAW, tmp_path / "whole", silent)

    class Killed(Exception): ...

    def kill(done: int, total: int) -> None:
        if done == 1:
            raise Killed

    with pytest.raises(Killed):
        fit(made, DRAW, tmp_path / "killed", kill)
    again = fit(made, DRAW, tmp_path / "killed", silent)
    assert again.generated == whole.generated
    assert again.chosen["history"] == whole.chosen["history"]


def test_the_loss_can_choose_the_epoch(tmp_path):
    found = fit(setting(studies(42), protocol(selection="loss")), DRAW, tmp_path, silent)
    assert all(row["score"] < 0 for row in found.chosen["history"])
    assert found.chosen["history"][1]["score"] > found.chosen["history"][0]["score"]


def test_without_validation_the_last_epoch_is_taken(tmp_path):
    draw = Draw(0, DRAW.train, np.arange(0), DRAW.test)
    found = fit(setting(studies(42), protocol()), draw, tmp_path, silent)
    assert found.chosen["selection"] == "none: the last epoch"
    assert found.chosen["best_epoch"] == 2


def test_the_vocabulary_is_that_of_the_training_reports(tmp_path):
    draw = Draw(0, DRAW.train[DRAW.train % 3 == 0], DRAW.val, DRAW.test)
    found = fit(setting(studies(42), protocol(epochs=1)), draw, tmp_path, silent)
    assert found.chosen["vocabulary"] == len(["the", "heart", "is", "large", "."]) + 1
    assert set(" ".join(found.cleaned).split()) == {"the", "heart", "is", "large", ".", "<unk>"}


def test_a_search_keeps_its_trials(tmp_path):
    options = protocol(epochs=1, search={"space": {"head_lr": [0.0001, 0.001]}})
    found = fit(setting(studies(42), options), DRAW, tmp_path, silent)
    assert [trial["settings"]["head_lr"] for trial in found.trials] == [0.0001, 0.001]
    assert found.chosen["search"]["chosen"]["head_lr"] in (0.0001, 0.001)


def writer(**changes):
    found = studies(12)
    made = source(found)
    rows = setting(found, protocol()).cases.rows
    return Writer(made, 9, protocol(**changes), 0, "cpu"), lambda numbers: made.inputs(rows[numbers], None)


def test_running_out_of_memory_halves_the_batch(monkeypatch):
    model, inputs = writer()
    expected = written(model, inputs, np.arange(12), 12)
    sizes, whole = [], Writer.write

    def scarce(self, given):
        sizes.append(len(given[0]))
        if len(given[0]) > 3:
            raise torch.OutOfMemoryError("out of memory")
        return whole(self, given)

    monkeypatch.setattr(Writer, "write", scarce)
    assert written(model, inputs, np.arange(12), 12) == expected
    assert sizes == [12, 6, 3, 3, 3, 3]


def test_weights_that_are_no_numbers_have_diverged():
    model, inputs = writer()
    with torch.no_grad():
        model.decoder.logits.bias[1] = torch.nan
    with pytest.raises(Diverged, match="NaN"):
        written(model, inputs, np.arange(4), 4)


def test_the_mean_loss_is_over_words_whatever_the_batch():
    model, inputs = writer()
    tokens = torch.randint(1, 10, (12, 7), generator=torch.Generator().manual_seed(0))
    tokens[:, 0] = tokens[::2, 4:] = 0

    def batches(numbers):
        return (*inputs(numbers), tokens[torch.from_numpy(numbers)])

    losses = [mean_loss(model, batches, np.arange(12), size) for size in (1, 5, 12)]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-5)


def test_a_missing_second_image_is_not_looked_at():
    model, _ = writer()
    images, there = torch.randn(2, 2, 3, 8), torch.tensor([[True, False], [True, True]])
    other = images.clone()
    other[0, 1] = 99.0
    model.eval()
    assert torch.equal(model.write((images, there)), model.write((other, there)))
    seen = model.decoder.encode(*model.read_patches(other, there))[0, :3]
    torch.testing.assert_close(seen, model.decoder.encode(images[:1, 0], None)[0], atol=1e-5, rtol=1e-5)


def test_crops_are_parts_of_the_stretched_image():
    spec = InputSpec(size=6, resize="stretch", mean=(0.5,), std=(0.25,), channels=1)
    image = np.arange(81, dtype=np.uint8).reshape(9, 9) * 3
    crops = random_crops([image] * 200, spec, 9, np.random.default_rng(0), "cpu")
    places = {}
    for top, left in itertools.product(range(4), repeat=2):
        part = torch.from_numpy(image[top : top + 6, left : left + 6].copy())[None, None]
        places[normalise(part, spec, "cpu").numpy().tobytes()] = (top, left)
    seen = {places[crop.numpy().tobytes()] for crop in crops}
    assert len(seen) == 16
    again = random_crops([image[:5]] * 2, spec, 9, np.random.default_rng(1), "cpu")
    assert again.shape == (2, 1, 6, 6)
    assert torch.equal(
        random_crops([image], spec, 6, np.random.default_rng(2), "cpu"),
        random_crops([image], spec, 6, np.random.default_rng(3), "cpu"),
    )


def test_corpus_bleu_of_tokens_and_of_texts(monkeypatch):
    monkeypatch.setenv("PATH", "")
    said, true = ["the heart is large .", "no effusion ."], ["the heart is large .", "no effusion here ."]
    assert bleu_4(said, said, tokenized=True) == pytest.approx(1, abs=1e-6)
    assert bleu_4(["The heart is large"], ["the heart is large."], tokenized=False) == pytest.approx(1, abs=1e-6)
    assert bleu_4(said, true, tokenized=True) < 1


def test_chance_is_what_the_reports_of_others_would_score(monkeypatch):
    monkeypatch.setenv("PATH", "")
    one, other = "the heart is large today", "no effusion is seen here"
    assert chance([one, other] * 3, [one, other] * 3) == pytest.approx(0.4, abs=0.01)  # 2 of the 5 rotations are even
    assert chance([one] * 4, [one] * 4) == pytest.approx(1, abs=1e-6)
    assert chance([one, other], [one, other]) < 0.01
    assert chance([one], [one]) is None


def test_the_optimiser_gets_the_decoder_alone_when_the_encoder_is_frozen():
    model, _ = writer()
    groups = model.groups(recipe_of(protocol(head_lr=0.25)))
    assert {group["lr"] for group in groups} == {0.25}
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))

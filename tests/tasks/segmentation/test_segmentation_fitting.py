"""Training a decoder on one fold: batches, what is trained and what is not, and that it learns what its maps show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_segmentation import SIDE, ellipses, oracle, protocol, setting
from torch import nn

from benchx.decoders.segmentation.losses import UNKNOWN
from benchx.errors import NotApplicable
from benchx.images.spec import InputSpec
from benchx.methods.encoders.timm_model import timm_model
from benchx.tasks.segmentation.area import area
from benchx.tasks.segmentation.fitting import fit, make_batch
from benchx.tasks.segmentation.maps import Source, read_blocks, read_maps, take_blocks
from benchx.tasks.segmentation.problem import Draw
from benchx.tasks.segmentation.scores import MEASURES, fault, score
from benchx.tasks.segmentation.segmenter import Segmenter, log_odds
from benchx.tasks.segmentation.tables import validation_score
from benchx.training.recipe import recipe_of

DRAW = Draw(0, np.arange(16), np.arange(16, 20), np.arange(20, 28))
QUIET = lambda done, total: None  # noqa: E731


class Shallow(nn.Module):
    """Two maps from one convolution each."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fine, self.coarse = nn.Conv2d(1, 3, 4, stride=4), nn.Conv2d(3, 5, 2, stride=2)
        self.norm = nn.BatchNorm2d(5)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        fine = self.fine(images)
        return fine, self.norm(self.coarse(fine))


def source_of(encoder: Shallow, masks: np.ndarray, *, trained: bool) -> Source:
    images = torch.from_numpy(masks).float()[:, :1]
    return Source(
        (3, 5), (4, 8), lambda rows: (images[rows],), lambda one: encoder(one[0]), encoder if trained else None, "x"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decoder", "output", "loss"),
    [({"name": "unet"}, "sigmoid", "dice-ce"), ({"name": "upernet", "width": 32, "auxiliary": 0.4}, "softmax", "ce")],
)
def test_a_decoder_that_sees_the_truth_reaches_a_dice_of_0_95(tmp_path, decoder, output, loss):
    masks = ellipses(28, 1)
    chosen = protocol(decoder=decoder, output=output, loss=loss, epochs=80, horizontal_flip=0.5)
    fitted = fit(setting(masks, chosen), DRAW, tmp_path, QUIET)
    assert fault(fitted.table) is None
    assert score(fitted.table)["dice"] > 0.95
    assert fitted.chosen["selection"] == "validation"
    scores = [row["score"] for row in fitted.chosen["history"]]
    assert fitted.chosen["best_epoch"] == 1 + scores.index(max(scores))


@pytest.mark.parametrize("selection", ["dice", "mdice"])
def test_the_validation_score_is_that_of_the_same_table(tmp_path, selection):
    masks = ellipses(28, 2)
    chosen = protocol(epochs=1, selection=selection)
    fitted = fit(setting(masks, chosen), replace(DRAW, test=DRAW.val), tmp_path, QUIET)
    masks_alone = score(fitted.table)[selection]
    assert 0 < fitted.chosen["history"][0]["score"] - masks_alone < 1e-9


def test_masks_that_are_equal_are_told_apart_by_what_was_nearly_drawn():
    truth = np.zeros((1, 1, 4, 4), np.uint8)
    truth[0, 0, :2] = 1
    where = area(4, 4, InputSpec(size=4, resize="stretch", mean=(0.5,), std=(0.5,)))

    def scored(inside: float) -> float:
        odds = np.where(truth[0] == 1, inside, -5.0)
        return validation_score([(truth[0], odds, where)], ("Lung",), MEASURES["dice"])

    assert scored(-4.0) < scored(-1.0) < 1e-9
    assert scored(1.0) == pytest.approx(1, abs=2e-9)


def test_the_same_seed_gives_the_same_table_and_a_killed_training_goes_on(tmp_path, monkeypatch):
    masks = ellipses(28, 1)
    chosen = protocol(epochs=3, horizontal_flip=0.5)
    whole = fit(setting(masks, chosen), DRAW, tmp_path / "whole", QUIET).table
    again = fit(setting(masks, chosen), DRAW, tmp_path / "again", QUIET).table
    assert whole.equals(again)

    def killed(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(setting(masks, chosen), DRAW, tmp_path / "killed", killed)
    seen = []
    resumed = fit(setting(masks, chosen), DRAW, tmp_path / "killed", lambda done, total: seen.append(done))
    assert seen[0] == 3
    assert resumed.table.equals(whole)
    other = fit(replace(setting(masks, chosen), seed=1), DRAW, tmp_path / "other", QUIET).table
    assert not other.equals(whole)


def test_padding_is_unknown_and_masks_are_mirrored_with_their_images():
    masks = ellipses(4, 2)
    spec = InputSpec(size=SIDE, resize="letterbox", mean=(0.5,), std=(0.25,), channels=1)
    images = torch.from_numpy(masks).float()
    mirrored = protocol(horizontal_flip=1.0)
    source = Source((2,), (1,), lambda rows: (images[rows],), lambda one: one, None, "x")
    whole = replace(
        setting(masks, mirrored, source), spec=spec, shapes=np.array([[64, 64], [64, 32], [32, 64], [9, 9]])
    )
    rows = np.array([1, 2, 0])
    shown, targets = make_batch(whole, source, rows, np.random.default_rng(0))
    assert targets.dtype == torch.uint8
    known = targets != UNKNOWN
    assert known[0, 0].any(dim=0).nonzero().flatten().tolist() == list(range(8, 24))
    assert known[1, 0].any(dim=1).nonzero().flatten().tolist() == list(range(8, 24))
    assert known[2].all()
    assert torch.equal(shown, images[rows].flip(-1))
    assert torch.equal(targets[known], shown[known].to(torch.uint8))


def test_about_as_many_are_mirrored_as_the_protocol_says():
    masks = ellipses(64, 1)
    source = oracle(masks)
    half = setting(masks, protocol(horizontal_flip=0.5), source)
    *_, targets = make_batch(half, source, np.arange(64), np.random.default_rng(0))
    same = (targets.numpy() == masks).all(axis=(1, 2, 3))
    assert 20 < same.sum() < 44
    assert ((targets.flip(-1).numpy() == masks).all(axis=(1, 2, 3)) | same).all()


def test_a_frozen_encoder_stays_as_it_is_and_is_no_part_of_what_is_saved(tmp_path):
    masks, encoder = ellipses(28, 1), Shallow().eval().requires_grad_(False)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    source = source_of(encoder, masks, trained=False)
    fit(setting(masks, protocol(), source), DRAW, tmp_path, QUIET)
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())
    model = Segmenter(source, SIDE, 1, protocol(), 0, "cpu")
    assert all(name.startswith("decoder.") for name in model.state_dict())
    assert not encoder.training


def test_an_encoder_that_is_trained_has_its_own_rate(tmp_path):
    masks, encoder = ellipses(28, 1), Shallow()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    chosen = protocol(encoder="trained", lr=1e-4, head_lr=1e-2)
    source = source_of(encoder, masks, trained=True)
    model = Segmenter(source, SIDE, 1, chosen, 0, "cpu")
    rates = {id(one): group["base_lr"] for group in model.groups(recipe_of(chosen)) for one in group["params"]}
    assert {rates[id(one)] for one in encoder.parameters()} == {1e-4}
    assert {rates[id(one)] for one in model.decoder.parameters()} == {1e-2}
    fit(setting(masks, chosen, source), DRAW, tmp_path, QUIET)
    assert all(not torch.equal(before[name], value) for name, value in encoder.state_dict().items())


def test_a_micro_batch_has_the_gradient_of_the_batch():
    masks = ellipses(8, 1)
    source = oracle(masks)
    whole = setting(masks, protocol(decoder={"name": "upernet", "width": 8, "auxiliary": 0.4, "dropout": 0.0}), source)
    model = Segmenter(source, SIDE, 1, whole.protocol, 0, "cpu").eval()
    batch = make_batch(whole, source, np.arange(8), np.random.default_rng(0))

    def gradients(pieces: int) -> list[torch.Tensor]:
        model.zero_grad()
        for piece in zip(*(one.tensor_split(pieces) for one in batch), strict=True):
            (model.loss_sum(piece) / model.count(batch)).backward()
        return [one.grad.clone() for one in model.parameters()]

    for one, other in zip(gradients(1), gradients(3), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_the_auxiliary_loss_has_its_weight():
    masks = ellipses(8, 1)
    source = oracle(masks)
    batch = make_batch(setting(masks, protocol(), source), source, np.arange(8), np.random.default_rng(0))
    found = []
    for weight in (None, 0.5, 1.0):
        decoder = {"name": "upernet", "width": 8, "auxiliary": weight, "dropout": 0.0}
        found.append(Segmenter(source, SIDE, 1, protocol(decoder=decoder), 0, "cpu").eval().loss_sum(batch).item())
    assert found[1] > found[0]
    assert found[2] - found[1] == pytest.approx(found[1] - found[0], rel=1e-4)


def test_softmax_says_the_log_odds_of_the_foreground_and_argmax_is_0():
    masks = ellipses(8, 1)
    source = oracle(masks)
    model = Segmenter(source, SIDE, 1, protocol(output="softmax", loss="ce"), 0, "cpu").eval()
    odds = dict(log_odds(model, source.inputs, np.arange(8), 3))
    with torch.no_grad():
        logits = model.decoder(source.inputs(np.arange(8)), SIDE)
    assert list(odds) == list(range(8))
    called = np.stack([odds[row][0] > 0 for row in range(8)])
    np.testing.assert_array_equal(called, logits.argmax(dim=1).numpy() == 1)


def test_running_out_of_memory_halves_the_batch():
    masks = ellipses(8, 1)
    source = oracle(masks)
    model = Segmenter(source, SIDE, 1, protocol(), 0, "cpu").eval()
    tried = []

    def inputs(rows: np.ndarray) -> tuple[torch.Tensor, ...]:
        tried.append(len(rows))
        if len(rows) > 2:
            raise RuntimeError("CUDA out of memory")
        return source.inputs(rows)

    odds = dict(log_odds(model, inputs, np.arange(7), 8))
    assert tried == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    assert list(odds) == list(range(7))


def test_upernet_is_not_trained_on_one_image(tmp_path):
    masks = ellipses(28, 1)
    for chosen, draw in (
        (protocol(decoder={"name": "upernet"}, batch_size=1), DRAW),
        (protocol(decoder={"name": "upernet"}), replace(DRAW, train=np.arange(1))),
    ):
        with pytest.raises(NotApplicable, match="one image at a time"):
            fit(setting(masks, chosen), draw, tmp_path, QUIET)


def test_without_validation_the_last_epoch_is_kept(tmp_path):
    fitted = fit(setting(ellipses(28, 1), protocol()), replace(DRAW, val=DRAW.val[:0]), tmp_path, QUIET)
    assert fitted.chosen["selection"] == "none: the last epoch"
    assert fitted.chosen["best_epoch"] == 2


def test_a_search_keeps_its_trials(tmp_path):
    chosen = protocol(search={"space": {"head_lr": [1e-5, 3e-3]}})
    fitted = fit(setting(ellipses(28, 1), chosen), DRAW, tmp_path, QUIET)
    assert [trial["settings"] for trial in fitted.trials] == [{"head_lr": 1e-5}, {"head_lr": 3e-3}]
    assert fitted.chosen["search"]["trials"] == 2


def test_the_blocks_of_a_transformer_are_its_own():
    encoder = timm_model(pooling="model", channels=3, image_size=64, model="vit_tiny_patch16_224").eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        last, blocks = encoder.trunk.forward_intermediates(images, indices=list(encoder.pyramid.indices))
        assert take_blocks(encoder)
        maps, strides = read_blocks(encoder, images)
        assert strides == (16, 16, 16, 16)
        for one, other in zip(maps[:3], blocks[:3], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
        normed = last[:, 1:].reshape(2, 4, 4, -1).permute(0, 3, 1, 2)
        torch.testing.assert_close(maps[3], normed, rtol=1e-5, atol=1e-5)


def test_a_convolutional_encoder_has_no_blocks():
    encoder = timm_model(pooling="model", channels=3, image_size=64, model="resnet18").eval()
    assert not take_blocks(encoder)
    with torch.inference_mode():
        maps, strides = read_maps(encoder, torch.randn(1, 3, 64, 64))
    assert strides == (4, 8, 16, 32)
    assert [one.shape[-1] for one in maps] == [16, 8, 4, 2]

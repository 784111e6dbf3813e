"""Losses of segmentation against MONAI's and against sums written out, with unknown pixels."""

from __future__ import annotations

import math

import pytest
import torch
from monai.losses import DiceCELoss
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchx.decoders.segmentation.losses import UNKNOWN, known_images, loss_sum, union


def case(images: int = 3, classes: int = 2, side: int = 7, outputs: int | None = None) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(images, outputs or classes, side, side, generator=generator)
    masks = (torch.rand(images, classes, side, side, generator=generator) < 0.3).to(torch.uint8)
    return logits, masks


def with_unknown(masks: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return masks.masked_fill(torch.rand(masks.shape, generator=generator) < 0.2, UNKNOWN)


COMBINATIONS = [(output, loss) for output in ("sigmoid", "softmax") for loss in ("dice-ce", "ce")]


def outputs_of(output: str) -> int | None:
    return 2 if output == "softmax" else None


def test_sigmoid_equals_monai_class_by_class():
    logits, masks = case(classes=3)
    monai = DiceCELoss(sigmoid=True)
    # MONAI takes the cross-entropy of several channels as that of exclusive classes, of one as binary.
    expected = sum(
        monai(logits[image : image + 1, one : one + 1], masks[image : image + 1, one : one + 1].float())
        for image in range(3)
        for one in range(3)
    )
    torch.testing.assert_close(loss_sum(logits, masks, "sigmoid", "dice-ce"), expected / 3, rtol=1e-5, atol=1e-6)


def test_softmax_equals_monai_without_background():
    logits, masks = case(classes=3, outputs=2)
    monai = DiceCELoss(softmax=True, include_background=False, to_onehot_y=True)
    foreground = masks.amax(dim=1, keepdim=True).float()
    expected = sum(monai(logits[[image]], foreground[[image]]) for image in range(3))
    torch.testing.assert_close(loss_sum(logits, masks, "softmax", "dice-ce"), expected, rtol=1e-5, atol=1e-6)


def test_cross_entropy_of_softmax_is_that_of_all_pixels():
    logits, masks = case(classes=1, outputs=2)
    expected = 3 * cross_entropy(logits, masks[:, 0].long())
    torch.testing.assert_close(loss_sum(logits, masks, "softmax", "ce"), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("loss", ["dice-ce", "ce"])
def test_unknown_pixels_as_if_they_were_cut_out(loss):
    logits, masks = case()
    masks = with_unknown(masks)
    total = 0.0
    for image in range(3):
        entropies, dices = [], []
        for one in range(2):
            known = [
                (1 / (1 + math.exp(-z)), t)
                for z, t in zip(
                    logits[image, one].flatten().tolist(), masks[image, one].flatten().tolist(), strict=True
                )
                if t != UNKNOWN
            ]
            entropies += [-math.log(p if t else 1 - p) for p, t in known]
            overlap = 2 * sum(p * t for p, t in known) + 1e-5
            dices.append(1 - overlap / (sum(p for p, _ in known) + sum(t for _, t in known) + 1e-5))
        total += sum(entropies) / len(entropies) + (sum(dices) / 2 if loss == "dice-ce" else 0)
    assert loss_sum(logits, masks, "sigmoid", loss).item() == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize(("output", "loss"), COMBINATIONS)
def test_what_is_said_of_unknown_pixels_does_not_matter(output, loss):
    logits, masks = case(outputs=outputs_of(output))
    masks = with_unknown(masks)
    unknown = union(masks).expand(-1, 2, -1, -1) == UNKNOWN if output == "softmax" else masks == UNKNOWN
    assert unknown.any()
    first = logits.clone().requires_grad_()
    second = logits.masked_fill(unknown, 50.0).requires_grad_()
    for one in (first, second):
        loss_sum(one, masks, output, loss).backward()
    torch.testing.assert_close(loss_sum(first, masks, output, loss), loss_sum(second, masks, output, loss))
    assert not first.grad[unknown].any()
    torch.testing.assert_close(first.grad, second.grad)


@pytest.mark.parametrize(("output", "loss"), COMBINATIONS)
def test_a_batch_in_pieces_has_the_gradient_of_the_whole(output, loss):
    logits, masks = case(images=5, outputs=outputs_of(output))
    masks = with_unknown(masks)
    whole = logits.clone().requires_grad_()
    total = loss_sum(whole, masks, output, loss)
    total.backward()
    pieces = logits.clone().requires_grad_()
    losses = [loss_sum(pieces[rows], masks[rows], output, loss) for rows in (slice(0, 1), slice(1, 3), slice(3, 5))]
    sum(losses).backward()
    torch.testing.assert_close(sum(losses), total)
    torch.testing.assert_close(pieces.grad, whole.grad)


@pytest.mark.parametrize(("output", "loss"), COMBINATIONS)
def test_an_image_or_a_class_without_a_known_pixel_adds_nothing(output, loss):
    logits, masks = case(outputs=outputs_of(output))
    alone = loss_sum(logits[:2], masks[:2], output, loss)
    masks[2] = UNKNOWN
    logits.requires_grad_()
    total = loss_sum(logits, masks, output, loss)
    total.backward()
    torch.testing.assert_close(total, alone)
    assert known_images(masks) == 2
    assert not logits.grad[2].any()
    if output == "sigmoid":
        masks[:2, 1] = UNKNOWN
        one_class = loss_sum(logits[:2, :1], masks[:2, :1], output, loss)
        torch.testing.assert_close(loss_sum(logits, masks, output, loss), one_class)


@pytest.mark.parametrize(("output", "loss"), COMBINATIONS)
@pytest.mark.parametrize("value", [0, 1])
def test_empty_and_full_masks_and_large_logits_stay_finite(output, loss, value):
    logits = torch.full((2, 2, 4, 4), 200.0).requires_grad_()
    total = loss_sum(logits, torch.full((2, 2, 4, 4), value, dtype=torch.uint8), output, loss)
    total.backward()
    assert total.isfinite()
    assert logits.grad.isfinite().all()


def test_the_loss_of_half_precision_logits_is_taken_in_full():
    logits, masks = case()
    half = logits.to(torch.bfloat16)
    assert loss_sum(half, masks, "sigmoid", "dice-ce") == loss_sum(half.float(), masks, "sigmoid", "dice-ce")


def test_the_union_is_unknown_only_where_no_class_is_there():
    masks = torch.tensor([[0, 0, 0, 1, 1, 255], [0, 1, 255, 255, 1, 255]], dtype=torch.uint8)[None, :, None]
    assert union(masks).flatten().tolist() == [0, 1, UNKNOWN, 1, 1, UNKNOWN]


def test_logits_of_another_shape_are_a_mistake():
    logits, masks = case(classes=2)
    with pytest.raises(ValueError, match="do not fit"):
        loss_sum(logits[..., :-1], masks, "sigmoid", "ce")
    with pytest.raises(ValueError, match="do not fit"):
        loss_sum(logits[:, :1], masks, "softmax", "ce")

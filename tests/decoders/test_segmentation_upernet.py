"""UPerNet against the wiring of MMSegmentation's UPerHead, FCNHead and Feature2Pyramid, written out plainly."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchx.decoders.segmentation.neck import LearnedPyramid
from benchx.decoders.segmentation.upernet import UPerNet

CHANNELS = (6, 7, 8, 9)


def perturbed(model: torch.nn.Module) -> torch.nn.Module:
    """The model in evaluation mode with all of its weights and statistics drawn."""
    generator = torch.Generator().manual_seed(3)
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.normal_(0, 1 / max(1, value[0].numel()) ** 0.5, generator=generator)
            if name.endswith("running_var"):
                value.abs_().add_(0.5)
    return model.eval()


def conv_norm_relu(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    kernel = weights[f"{name}.0.weight"]
    x = F.conv2d(x, kernel, padding=kernel.shape[-1] // 2)
    return norm(x, weights, f"{name}.1").relu()


def norm(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    mean, variance, scale, shift = (
        weights[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (variance + 1e-5).sqrt() * scale + shift


def up(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def upernet_by_hand(maps: list[Tensor], size: int, weights: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    top = maps[-1]
    pooled = []
    for number, side in enumerate((1, 2, 3, 6)):
        context = conv_norm_relu(F.adaptive_avg_pool2d(top, side), weights, f"contexts.{number}.1")
        pooled.append(up(context, top.shape[2:]))
    laterals = [conv_norm_relu(one, weights, f"laterals.{number}") for number, one in enumerate(maps[:-1])]
    laterals.append(conv_norm_relu(torch.cat([top, *pooled], 1), weights, "top"))
    for number in range(len(laterals) - 1, 0, -1):
        laterals[number - 1] = laterals[number - 1] + up(laterals[number], laterals[number - 1].shape[2:])
    outs = [conv_norm_relu(one, weights, f"smoothing.{number}") for number, one in enumerate(laterals[:-1])]
    outs.append(laterals[-1])
    outs = [up(one, outs[0].shape[2:]) for one in outs]
    fused = conv_norm_relu(torch.cat(outs, 1), weights, "fusion")
    logits = F.conv2d(fused, weights["classifier.1.weight"], weights["classifier.1.bias"])
    side_branch = conv_norm_relu(maps[-2], weights, "auxiliary.0")
    extra = F.conv2d(side_branch, weights["auxiliary.1.1.weight"], weights["auxiliary.1.1.bias"])
    return up(logits, (size, size)), up(extra, (size, size))


@pytest.mark.parametrize("strides", [(4, 8, 16, 32), (4, 8, 16)])
def test_it_equals_the_wiring_written_out(strides):
    channels = CHANNELS[: len(strides)]
    model = perturbed(UPerNet(channels, strides, 2, width=16, dropout=0.1, auxiliary=True))
    generator = torch.Generator().manual_seed(0)
    maps = [
        torch.randn(2, one, 96 // stride, 96 // stride, generator=generator)
        for one, stride in zip(channels, strides, strict=True)
    ]
    before = [one.clone() for one in maps]
    with torch.inference_mode():
        logits, auxiliary = model.with_auxiliary(maps, 96)
        expected, extra = upernet_by_hand(maps, 96, model.state_dict())
        assert torch.equal(model(maps, 96), logits)
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(auxiliary, extra, rtol=1e-5, atol=1e-5)
    assert logits.std() > 1e-2
    assert auxiliary.std() > 1e-2
    assert all(torch.equal(one, other) for one, other in zip(maps, before, strict=True))


def transposed_by_hand(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """A transposed convolution of 2 x 2 with step 2: every place becomes its own square of four."""
    squares = torch.einsum("bihw,iokl->bohkwl", x, kernel)
    return squares.reshape(len(x), kernel.shape[1], 2 * x.shape[2], 2 * x.shape[3]) + bias[:, None, None]


def gelu_by_hand(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def test_the_neck_of_transformers_is_4_2_1_and_a_half():
    model = perturbed(LearnedPyramid([5, 5, 5, 5], 16))
    weights = model.state_dict()
    blocks = [torch.randn(2, 5, 6, 6, generator=torch.Generator().manual_seed(one)) for one in range(4)]
    first = transposed_by_hand(blocks[0], weights["levels.0.0.weight"], weights["levels.0.0.bias"])
    first = gelu_by_hand(norm(first, weights, "levels.0.1"))
    first = transposed_by_hand(first, weights["levels.0.3.weight"], weights["levels.0.3.bias"])
    second = transposed_by_hand(blocks[1], weights["levels.1.0.weight"], weights["levels.1.0.bias"])
    fourth = blocks[3].reshape(2, 5, 3, 2, 3, 2).amax(dim=(3, 5))
    with torch.inference_mode():
        for one, expected in zip(model(blocks), [first, second, blocks[2], fourth], strict=True):
            torch.testing.assert_close(one, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("stride", "sides"), [(32, [24, 12, 6, 3]), (14, [12, 6, 3, 2])])
def test_the_neck_takes_patches_of_other_sizes(stride, sides):
    blocks = [torch.randn(2, 5, 3, 3) for _ in range(4)]
    assert [one.shape[-1] for one in LearnedPyramid([5] * 4, stride)(blocks)] == sides


def test_upernet_on_blocks_is_upernet_on_the_neck_and_its_auxiliary_head_sees_the_third_block():
    channels = (5, 5, 5, 5)
    model = perturbed(UPerNet(channels, (16, 16, 16, 16), 2, width=16, dropout=0.1, auxiliary=True))
    blocks = [torch.randn(2, 5, 6, 6) for _ in channels]
    with torch.inference_mode():
        logits, auxiliary = model.with_auxiliary(blocks, 96)
        expected, extra = upernet_by_hand(model.neck(blocks), 96, model.state_dict())
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(auxiliary, extra, rtol=1e-5, atol=1e-5)


def test_the_start_is_kaiming_with_small_classifiers():
    model = UPerNet((64, 64), (4, 8), 2, width=128, dropout=0.1, auxiliary=True)
    fan_out = 128 * 9
    assert model.fusion[0].weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.02)
    for classifier in (model.classifier, model.auxiliary[1]):
        assert classifier[1].weight.std().item() == pytest.approx(0.01, rel=0.15)
        assert not classifier[1].bias.any()


def test_dropout_takes_whole_channels_and_only_in_training():
    model = UPerNet((4,), (8,), 1, width=64, dropout=0.5, auxiliary=False)
    features = torch.ones(1, 64, 3, 3)
    kept = model.classifier[0](features)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(kept, kept[..., :1, :1].expand_as(kept))
    assert torch.equal(model.eval().classifier[0](features), features)


def test_without_an_auxiliary_head_there_are_no_auxiliary_logits():
    model = UPerNet((4, 4), (4, 8), 1, width=8, dropout=0, auxiliary=False).eval()
    maps = [torch.randn(1, 4, 8, 8), torch.randn(1, 4, 4, 4)]
    logits, auxiliary = model.with_auxiliary(maps, 32)
    assert auxiliary is None
    assert torch.equal(logits, model(maps, 32))

"""The U-Net against segmentation-models-pytorch's own, on an encoder that has no stride of 2 either."""

from __future__ import annotations

import pytest
import segmentation_models_pytorch as smp
import torch

from benchx.decoders.segmentation.unet import UNet


@pytest.fixture(scope="module")
def whole() -> torch.nn.Module:
    torch.manual_seed(0)
    return smp.Unet("mit_b0", encoder_weights=None, classes=2).eval()


@pytest.mark.parametrize("training", [False, True])
def test_it_equals_the_library(whole, training):
    ours = UNet([32, 64, 160, 256], (4, 8, 16, 32), 2)
    ours.decoder.load_state_dict(whole.decoder.state_dict())
    ours.head.load_state_dict(whole.segmentation_head.state_dict())
    whole.decoder.train(training)
    ours.train(training)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        maps = whole.encoder(images)[2:]
        assert torch.equal(ours(maps, 64), whole.segmentation_head(whole.decoder(whole.encoder(images))))


def test_the_start_is_the_librarys():
    torch.manual_seed(0)
    ours = UNet([8, 8, 8, 8], (4, 8, 16, 32), 1)
    torch.manual_seed(0)
    decoder = smp.decoders.unet.decoder.UnetDecoder([0, 0, 8, 8, 8, 8], (256, 128, 64, 32, 16))
    head = smp.base.SegmentationHead(16, 1)
    smp.base.initialization.initialize_decoder(decoder)
    smp.base.initialization.initialize_head(head)
    for mine, theirs in ((ours.decoder, decoder), (ours.head, head)):
        weights = theirs.state_dict()
        assert all(torch.equal(value, weights[key]) for key, value in mine.state_dict().items())


@pytest.mark.parametrize(("strides", "blocks"), [((4, 8, 16), 4), ((8, 32), 5), ((16,), 4), ((2, 4, 64), 6)])
def test_any_powers_of_two_will_do(strides, blocks):
    ours = UNet([5] * len(strides), strides, 1).eval()
    maps = [torch.randn(1, 5, -(-72 // stride), -(-72 // stride)) for stride in strides]
    assert len(ours.decoder.blocks) == blocks
    assert ours(maps, 72).shape == (1, 1, 72, 72)


@pytest.mark.parametrize("strides", [(4, 12), (8, 4), (4, 4, 8)])
def test_strides_that_are_no_pyramid_are_a_mistake(strides):
    with pytest.raises(ValueError, match="rising powers of two"):
        UNet([5] * len(strides), strides, 1)

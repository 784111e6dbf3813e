from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from official_files import hollow_tensors, saved

from benchx.errors import CheckpointError
from benchx.methods.checking import check, grating_image


def test_the_packaged_weights_pass():
    report = check("imagenet-efficientnet-lite0")
    assert report.official is True
    assert (report.filled, report.dim) == ({"image encoder": 294}, 1280)
    assert report.unused == {"_fc": 2}
    # 4 652 008 of the published network less its classifier.
    assert report.parameters == 4_652_008 - 1_281_000
    assert json.loads(json.dumps(report.to_dict())) == json.loads(json.dumps(check(report.method).to_dict()))
    assert report.features["std"] > 0


def test_a_random_twin_passes_without_a_file():
    report = check("random-efficientnet-lite0")
    assert (report.checkpoint, report.official, report.filled) == (None, None, {})
    assert report.parameters == 4_652_008 - 1_281_000


def test_tensors_that_start_afresh_are_named(tmp_path):
    report = check("mrm", saved(tmp_path / "MRM.pth", hollow_tensors("mrm"), ("model",)))
    assert report.fresh == ("fc_norm.weight", "fc_norm.bias")
    assert report.filled == {"image encoder": 148}


def test_a_checkpoint_that_does_not_fill_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="fills 0 of"):
        check("mrm", saved(tmp_path / "MRM.pth", {"x": torch.ones(1)}, ("model",)))


def test_the_test_image_uses_the_grey_scale():
    image = grating_image(64)
    assert (image.shape, image.dtype) == ((64, 64), np.uint8)
    assert image.min() < 40
    assert image.max() > 150

"""`benchx data check` looks at every picture, outline and report."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchx.datasets.check import check
from benchx.datasets.readers import mimic_cxr, siim
from benchx.phantom import writers


def _check(samples):
    return check(samples, lambda done, total: None)


@pytest.fixture
def siim_root(tmp_path):
    writers.write("siim-png", tmp_path, 20, 0, 64, lambda done, total: None)
    return tmp_path


def test_a_sound_dataset_is_called_so(siim_root):
    report = _check(siim.read(siim_root))
    assert report.sound
    assert report.outlines["images outlined"] == 20
    assert 0 < report.outlines["with something"] <= 20


def test_a_mask_of_another_shape_or_without_bytes_is_a_misfit(siim_root):
    first, second, *_ = sorted((siim_root / "png_masks").iterdir())
    cv2.imwrite(str(first), np.zeros((7, 30), np.uint8))
    second.write_bytes(b"")
    report = _check(siim.read(siim_root))
    assert not report.sound
    assert "30 x 7 for an image of 64 x 64" in report.misfits[first.stem]
    assert "zero bytes" in report.misfits[second.stem]


def test_an_unreadable_report_is_counted_and_stops_nothing(tmp_path):
    writers.write("mimic-cxr", tmp_path, 12, 0, 64, lambda done, total: None)
    sound = _check(mimic_cxr.read(tmp_path)).reports
    sorted((tmp_path / "files").rglob("*.txt"))[0].write_bytes(b"")
    report = _check(mimic_cxr.read(tmp_path))
    assert not report.sound
    assert report.reports["unreadable reports"] > 0
    assert report.reports["findings"] < sound["findings"] or report.reports["impression"] < sound["impression"]

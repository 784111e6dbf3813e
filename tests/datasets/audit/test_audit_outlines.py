from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchx.datasets.audit import audit
from benchx.datasets.regions import Box, Ellipse, MaskFile, Runs

BOX = Box("Mass", 10, 20, 30, 40)


@pytest.fixture
def kinds(radiographs, open_dataset, silent):
    """Audit four images with some outlines; what is found, with the samples."""

    def found(regions, labels, files=None):
        images = dict(zip("abcd", radiographs[:4], strict=True))
        one = open_dataset(images, labels=labels, regions=regions, mask_classes=("Mass",))
        for name, mask in (files or {}).items():
            (one.samples.root / name).write_bytes(cv2.imencode(".png", mask)[1].tobytes() if len(mask) else b"")
        return {finding.kind: finding.detail["ids"] for finding in audit([one], silent).findings}

    return found


def test_sound_outlines_are_not_remarked(kinds):
    mask = np.zeros((256, 256), np.uint8)
    mask[50:60, 50:60] = 255
    regions = {"a": (BOX,), "b": (), "c": (MaskFile("Mass", "m.png"),), "d": ()}
    assert kinds(regions, [1, 0, 1, np.nan], {"m.png": mask}) == {}


@pytest.mark.parametrize(
    ("region", "kind"),
    [
        (Box("Mass", 100, 20, 30, 40), "outlines that do not fit their image"),
        (Box("Mass", 10, 20, 0, 40), "outlines that do not fit their image"),
        (Runs("Mass", (128 * 128 - 1,), (2,), (128, 128)), "outlines that do not fit their image"),
        (MaskFile("Mass", "gone.png"), "mask files that cannot be read or are of another shape"),
        (MaskFile("Mass", "empty.png"), "mask files that cannot be read or are of another shape"),
        (MaskFile("Mass", "wide.png"), "mask files that cannot be read or are of another shape"),
        (Ellipse("Mass", 10.1, 10.1, 0.2, 0.2), "outlines without a pixel"),
    ],
)
def test_a_wrong_outline_is_named(region, kind, kinds):
    files = {"empty.png": np.zeros((0, 0), np.uint8), "wide.png": np.full((64, 128), 255, np.uint8)}
    assert kinds({"b": (region,)}, [0, 1, 0, 0], files) == {kind: ["b"]}


def test_an_outline_of_what_the_label_denies(kinds):
    assert kinds({"a": (BOX,), "b": (BOX,)}, [1, 0, 0, 0]) == {
        "outlines of a finding that the labels call absent": ["b"]
    }


def test_a_positive_label_without_an_outline_where_every_image_is_outlined(kinds):
    regions = {"a": (BOX,), "b": (MaskFile("Mass", "black.png"),), "c": (), "d": ()}
    black = {"black.png": np.zeros((128, 128), np.uint8)}
    assert kinds(regions, [1, 1, 1, 0], black) == {"labels without an outline": ["b", "c"]}


def test_a_positive_label_without_an_outline_is_nothing_where_only_some_are_outlined(kinds):
    assert kinds({"a": (BOX,), "b": ()}, [1, 1, 1, 0]) == {}

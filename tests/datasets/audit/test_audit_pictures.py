from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np

from benchx.datasets.audit import Audited, audit
from benchx.datasets.audit.borders import uniform_borders
from benchx.datasets.audit.descriptors import grey_ranks
from benchx.datasets.readers import nih
from benchx.datasets.splits import make_folds
from benchx.images.store import build
from benchx.phantom.writers import nih as nih_layout
from benchx.phantom.writers import write_layouts


def test_a_clean_phantom_has_no_leak_and_no_picture_of_two_patients(tmp_path, silent):
    """The skeleton of a virtual patient is rigid, so that two of its radiographs may count as one picture."""
    root = tmp_path / "nih"
    write_layouts(nih_layout.LAYOUTS, {"nih": root}, 30, 3, 96, silent)
    samples = nih.read(root)
    items = zip(samples.table["sample"], (root / image for image in samples.table["image"]), strict=True)
    store = build(list(items), 512, tmp_path / "store")
    report = audit([Audited(samples, make_folds(samples, "official"), store)], silent)
    assert not report.leaks
    found = {finding.kind: finding for finding in report.findings}
    assert {finding.severity for finding in report.findings} <= {"remark"}
    assert set(found) <= {"padded pictures", "pictures of one patient that look the same"}


def test_planted_oddities_are_found(radiographs, open_dataset, silent):
    a, b, c, d, *_ = radiographs
    images = {
        "sound": a,
        "constant": np.full((128, 128), 7, np.uint8),
        "nearly constant": np.random.default_rng(0).integers(90, 92, (128, 128), np.uint8),
        "tiny": cv2.resize(b, (60, 60), interpolation=cv2.INTER_AREA),
        "negative": 255 - c,
        "padded": cv2.copyMakeBorder(d, 0, 12, 0, 0, cv2.BORDER_CONSTANT),
    }
    found = {finding.kind: finding for finding in audit([open_dataset(images)], silent).findings}
    assert {kind: finding.detail["ids"] for kind, finding in found.items()} == {
        "constant pictures": ["constant", "nearly constant"],
        "tiny pictures": ["tiny"],
        "negative or upside-down pictures": ["negative"],
        "padded pictures": ["padded"],
    }
    assert found["padded pictures"].detail["borders"]["padded"]["bottom"] == round(12 / 140, 3)


def test_constant_pictures_are_not_called_copies_of_each_other(open_dataset, silent):
    images = {str(n): np.zeros((80, 80), np.uint8) for n in range(4)}
    (finding,) = audit([open_dataset(images, {"train": ["0", "1"], "test": ["2", "3"]})], silent).findings
    assert (finding.kind, finding.count) == ("constant pictures", 4)


def test_one_image_no_image_and_an_empty_part(radiographs, open_dataset, silent):
    one = open_dataset({"a": radiographs[0]}, {"train": ["a"]})
    empty = open_dataset({}, {}, name="empty", labels=[])
    assert audit([one, empty], silent).findings == ()
    assert audit([], silent).findings == ()


def test_progress_reaches_its_end_and_never_falls(radiographs, open_dataset):
    steps: list[tuple[int, int]] = []
    audit([open_dataset({"a": radiographs[0], "b": radiographs[1]})], lambda *step: steps.append(step))
    assert steps == sorted(steps)
    assert steps[-1] == (4, 4)


def test_borders_are_measured_to_the_pixel():
    image = np.random.default_rng(0).integers(60, 200, (50, 70), np.uint8)
    padded = cv2.copyMakeBorder(image, 3, 5, 0, 7, cv2.BORDER_CONSTANT, value=255)
    assert uniform_borders(padded) == (3, 5, 0, 7)
    assert uniform_borders(image) == (0, 0, 0, 0)
    assert uniform_borders(np.zeros((9, 5), np.uint8)) == (9, 0, 5, 0)


def test_grey_ranks_ignore_a_rising_curve_and_turn_round_with_a_negative(radiographs):
    image = radiographs[0] // 4
    squared = (image.astype(int) ** 2 // 16).astype(np.uint8)
    distinct = len(np.unique(squared)) == len(np.unique(image))
    assert np.allclose(grey_ranks(255 - image), -grey_ranks(image), atol=1e-6)
    assert np.allclose(grey_ranks(image * 3 + 20), grey_ranks(image))
    assert not distinct or np.allclose(grey_ranks(squared), grey_ranks(image))


def test_the_audit_needs_no_torch():
    code = "import sys, benchx.datasets.audit; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"

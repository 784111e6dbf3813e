"""Images are deterministic, 12-bit, and findings are where their masks say."""

import dataclasses
import hashlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from benchx.phantom.findings import FOREIGN_OBJECT, NIH_FINDINGS, Finding
from benchx.phantom.patients import make_patient
from benchx.phantom.render import boxes_of, render

SIGNS_AROUND_THE_MASK = {"Atelectasis", "Emphysema"}  # a raised or lowered dome is a sign outside the mask
IN_MASK = [name for name in NIH_FINDINGS if name not in SIGNS_AROUND_THE_MASK]


def patient_with(*findings, objects=(), view="PA", index=7):
    """A patient whose first image shows just these findings."""
    patient = make_patient(1, index)
    spec = dataclasses.replace(
        patient.images[0], view=view, findings=findings, objects=objects, collimation=0.0, contrast=1.0
    )
    return dataclasses.replace(patient, images=(spec,))


def one(name, severity=0.6, side="left", height=0.55):
    side = "both" if name in {"Cardiomegaly", "Edema", "Emphysema", "Hernia", "Fibrosis"} else side
    return Finding(name, severity, side, height, 0)


def digest(radiograph):
    return hashlib.sha256(radiograph.pixels.tobytes()).hexdigest()


def test_pixels_do_not_depend_on_order_or_threads():
    jobs = [(index, image) for index in range(5) for image in range(len(make_patient(9, index).images))]

    def work(job):
        return digest(render(make_patient(9, job[0]), job[1], 96))

    alone = [work(job) for job in jobs]
    assert [work(job) for job in reversed(jobs)][::-1] == alone
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, jobs)) == alone
    assert len(set(alone)) == len(jobs)


@pytest.mark.parametrize("view", ["PA", "AP", "LATERAL"])
def test_twelve_bits_are_used_and_bone_is_brighter_than_lung(view):
    pixels = render(patient_with(view=view), 0, 128).pixels
    assert pixels.dtype == np.uint16
    assert pixels.shape == (128, 128)
    assert pixels.max() <= 4095
    assert len(np.unique(pixels)) > 1000
    if view != "LATERAL":
        spine, lung = pixels[60:70, 62:66].mean(), pixels[55:70, 38:46].mean()
        assert spine > 1.5 * lung


@pytest.mark.parametrize("name", NIH_FINDINGS)
@pytest.mark.parametrize("view", ["PA", "LATERAL"])
def test_labels_masks_boxes_and_report_agree(name, view):
    image = render(patient_with(one(name), view=view), 0, 160)
    assert image.labels == {name}
    mask = image.masks[name]
    assert mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 1}
    assert {box[0] for box in image.boxes} == {name}
    boxed = np.zeros_like(mask)
    for _, x, y, w, h in image.boxes:
        assert w > 0 and h > 0 and x >= 0 and y >= 0 and x + w <= 160 and y + h <= 160  # noqa: PT018
        assert mask[y : y + h, x].any() and mask[y, x : x + w].any()  # noqa: PT018
        boxed[y : y + h, x : x + w] = 1
    assert (mask & ~boxed).sum() <= 0.35 * mask.sum()
    assert image.report.endswith(".")
    assert image.report != render(patient_with(view=view), 0, 64).report


@pytest.mark.parametrize("name", IN_MASK)
def test_a_finding_changes_pixels_inside_its_mask_only(name):
    size = 192
    sick, healthy = render(patient_with(one(name)), 0, size), render(patient_with(), 0, size)
    change = np.abs(sick.pixels.astype(int) - healthy.pixels)
    near = cv2.dilate(sick.masks[name], np.ones((5, 5), np.uint8)) > 0  # detector blur reaches two pixels
    assert change[~near].max() <= 1
    assert change[sick.masks[name] > 0].mean() > 25


@pytest.mark.parametrize("name", NIH_FINDINGS)
def test_severity_makes_a_finding_more_visible(name):
    healthy = render(patient_with(), 0, 128).pixels.astype(int)
    subtle, obvious = (
        np.abs(render(patient_with(one(name, severity)), 0, 128).pixels - healthy).sum() for severity in (0.05, 0.95)
    )
    assert 0 < subtle < obvious


def test_every_label_of_a_population_has_a_mask_and_a_box():
    for index in range(60):
        patient = make_patient(11, index)
        for number in patient.frontal:
            image = render(patient, number, 96)
            assert image.labels == {f.name for f in patient.images[number].findings}
            assert all(image.masks[name].any() for name in image.labels)
            assert image.labels <= {box[0] for box in image.boxes}


def test_the_same_anatomy_at_every_size():
    patient = patient_with(one("Effusion"), objects=("pacemaker",))
    large, small = render(patient, 0, 512), render(patient, 0, 128)
    shrunk = cv2.resize(large.pixels, (128, 128), interpolation=cv2.INTER_AREA).astype(float)
    assert np.corrcoef(shrunk.ravel(), small.pixels.ravel())[0, 1] > 0.995
    pairs = [(large.masks[name], mask) for name, mask in small.masks.items()]
    for big, mask in (*pairs, *zip(large.lungs, small.lungs, strict=True)):
        big = cv2.resize(big, (128, 128), interpolation=cv2.INTER_AREA)
        assert (big & mask).sum() / (big | mask).sum() > 0.8


def test_masks_mark_sides_as_seen_by_the_reader():
    left = render(patient_with(one("Effusion", side="left")), 0, 128).masks["Effusion"]
    right = render(patient_with(one("Effusion", side="right")), 0, 128).masks["Effusion"]
    assert left[:, 64:].sum() > 0.95 * left.sum()
    assert right[:, :64].sum() > 0.95 * right.sum()


def test_lungs_are_dark_stand_on_their_sides_and_end_at_the_dome():
    image = render(patient_with(), 0, 128)
    left, right = image.lungs
    assert image.lungs.dtype == np.uint8
    assert set(np.unique(image.lungs)) == {0, 1}
    assert left[:, 64:].sum() > 0.95 * left.sum()
    assert right[:, :64].sum() > 0.95 * right.sum()
    lungs = image.lungs.any(axis=0)
    assert 0.12 < lungs.mean() < 0.4
    around = cv2.dilate(image.lungs.max(axis=0), np.ones((9, 9), np.uint8)) > 0
    assert image.pixels[lungs].mean() < 0.9 * image.pixels[around & ~lungs].mean()


@pytest.mark.parametrize("name", ["Consolidation", "Effusion", "Pneumonia"])
def test_a_finding_in_the_lung_leaves_the_lung_mask_as_it_is(name):
    sick, healthy = (render(patient_with(*found), 0, 96) for found in ((one(name),), ()))
    np.testing.assert_array_equal(sick.lungs, healthy.lungs)
    inside = sick.masks[name] & sick.lungs[0]
    assert inside.sum() > 0.3 * sick.masks[name].sum()


def test_foreign_objects_are_masked_but_are_no_label():
    image = render(patient_with(objects=("coin", "sternal_wires")), 0, 256)
    assert image.labels == frozenset()
    assert image.masks[FOREIGN_OBJECT].any()
    assert image.pixels[image.masks[FOREIGN_OBJECT] > 0].mean() > image.pixels.mean()
    assert {box[0] for box in image.boxes} == {FOREIGN_OBJECT}


def test_boxes_of_an_empty_mask_and_of_a_single_pixel():
    mask = np.zeros((20, 20), bool)
    assert boxes_of("Mass", mask, 1.0) == []
    mask[4, 6] = True
    assert boxes_of("Mass", mask, 1.0) == [("Mass", 6, 4, 1, 1)]

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchx.datasets.audit import audit
from benchx.datasets.audit.looking import look
from benchx.datasets.audit.same import same_pictures
from benchx.datasets.splits import Fold
from benchx.images.decode import read, to_uint8


def _jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes()


COPIES = {
    "the same file": lambda image: image,
    "JPEG": _jpeg,
    "half the size": lambda image: cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA),
    "another aspect": lambda image: cv2.resize(image, (150, 100), interpolation=cv2.INTER_AREA),
    "brighter": lambda image: np.clip(image * 0.8 + 40, 0, 255).astype(np.uint8),
    "gamma": lambda image: np.rint(255 * (image / 255) ** 0.8).astype(np.uint8),
    "16 bit": lambda image: image.astype(np.uint16) * 257,
    "negative": lambda image: 255 - image,
    "cropped": lambda image: image[2:-2, 2:-2],
    "padded": lambda image: cv2.copyMakeBorder(image, 0, 0, 20, 20, cv2.BORDER_CONSTANT),
}


def _kinds(report) -> dict[str, str]:
    return {finding.kind: finding.severity for finding in report.findings if finding.severity != "remark"}


@pytest.mark.parametrize("change", COPIES)
def test_a_changed_copy_is_found_and_nothing_else_is(change, radiographs, open_dataset, silent):
    images = {f"{number:02d}": image for number, image in enumerate(radiographs)}
    one = open_dataset(images | {"copy": COPIES[change](radiographs[3])})
    (finding,) = (f for f in audit([one], silent).findings if f.severity != "remark")
    assert (finding.kind, finding.count) == ("pictures held more than once", 1)
    assert [entry["sample"] for entry in finding.detail["groups"][0]] == ["03", "copy"]


def test_a_copy_in_another_part_is_a_leak(radiographs, open_dataset, silent):
    images = {"a": radiographs[0], "b": radiographs[1], "a again": _jpeg(radiographs[0])}
    parts = {"train": ["a", "b"], "test": ["a again"]}
    report = audit([open_dataset(images, parts, table={"patient": ["1", "2", "3"]})], silent)
    assert report.leaks
    (finding,) = (f for f in report.findings if f.severity == "leak")
    assert finding.kind == "pictures in two parts"
    assert finding.examples == ("a", "a again")
    assert finding.detail["groups"] == [
        [
            {"sample": "a", "patient": "1", "part": "train"},
            {"sample": "a again", "patient": "3", "part": "test"},
        ]
    ]


def test_copies_in_two_folds_of_a_cross_validation_are_a_leak(radiographs, open_dataset, silent):
    one = open_dataset({"a": radiographs[0], "b": radiographs[1], "a again": radiographs[0]})
    none = np.zeros(0, int)
    folds = (Fold(np.array([0, 1]), none, np.array([2])), Fold(np.array([2]), none, np.array([0, 1])))
    assert _kinds(audit([replace(one, folds=folds)], silent)) == {"pictures in two parts": "leak"}


def test_training_images_of_one_dataset_in_the_test_part_of_another_are_listed_by_direction(
    radiographs, open_dataset, silent
):
    a, b, c, d = radiographs[:4]
    one = open_dataset({"a": a, "b": b, "c": c}, {"train": ["a", "b"], "test": ["c"]})
    two = open_dataset({"A": _jpeg(a), "C": _jpeg(c), "d": d}, {"train": ["C", "d"], "test": ["A"]}, name="two")
    report = audit([one, two], silent)
    (finding,) = report.findings
    assert (finding.kind, finding.severity, finding.datasets) == (
        "pictures shared with a test part",
        "leak",
        ("one", "two"),
    )
    assert finding.count == 2
    assert finding.detail["directions"] == {
        "one train -> two test": [{"one": ["a"], "two": ["A"]}],
        "two train -> one test": [{"two": ["C"], "one": ["c"]}],
    }


def test_training_images_shared_by_two_datasets_are_a_remark(radiographs, open_dataset, silent):
    one = open_dataset({"a": radiographs[0], "b": radiographs[1]}, {"train": ["a"], "test": ["b"]})
    two = open_dataset({"A": radiographs[0], "c": radiographs[2]}, {"train": ["A"], "test": ["c"]}, name="two")
    report = audit([one, two], silent)
    assert [(f.kind, f.severity) for f in report.findings] == [("shared pictures", "remark")]
    assert not report.leaks


def test_copies_with_different_labels_are_told_and_unknown_labels_are_not(radiographs, open_dataset, silent):
    a, b = radiographs[:2]
    images = {"a": a, "a again": _jpeg(a), "b": b, "b again": _jpeg(b)}
    report = audit([open_dataset(images, labels=[0, 1, 1, np.nan])], silent)
    (finding,) = (f for f in report.findings if f.kind == "pictures with two labels")
    assert finding.detail["groups"] == [{"classes": ["Mass"], "ids": {"one": ["a", "a again"]}}]


def test_labels_are_compared_between_datasets(radiographs, open_dataset, silent):
    one = open_dataset({"a": radiographs[0]}, labels=[0])
    two = open_dataset({"A": radiographs[0]}, labels=[1], name="two")
    (finding,) = (f for f in audit([one, two], silent).findings if f.kind == "pictures with two labels")
    assert (finding.severity, finding.datasets) == ("remark", ("one", "two"))


def test_many_near_equal_pictures_are_one_group(radiographs, open_dataset, silent):
    noise = np.random.default_rng(0).integers(0, 3, (40, 128, 128))
    pictures = np.clip(radiographs[0] + noise, 0, 255).astype(np.uint8)
    one = open_dataset({f"{number:02d}": picture for number, picture in enumerate(pictures)})
    (finding,) = (f for f in audit([one], silent).findings if f.severity == "problem")
    assert finding.count == 1
    assert len(finding.detail["groups"][0]) == 40


def test_the_report_is_json_and_a_table(radiographs, open_dataset, silent):
    report = audit([open_dataset({str(n): radiographs[0] for n in range(7)})], silent)
    written = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert written["leaks"] is False
    assert {
        "severity": "problem",
        "kind": "pictures held more than once",
        "datasets": ("one",),
        "count": 1,
        "examples": ("0", "1", "2", "3", "4"),
    } in report.rows()


def _real(path: Path) -> np.ndarray:
    return to_uint8(read(path))


def _grouped(images: Sequence[np.ndarray]) -> list[list[int]]:
    files = [str(number) for number in range(len(images))]
    return [group.tolist() for group in same_pictures([look(image) for image in images], files, lambda done: None)]


def _jpeg_of_1024(image: np.ndarray) -> np.ndarray:
    large = np.frombuffer(_jpeg(cv2.resize(image, (1024, 1024))), np.uint8)
    return cv2.resize(cv2.imdecode(large, cv2.IMREAD_GRAYSCALE), (256, 256), interpolation=cv2.INTER_AREA)


def _gamma(image: np.ndarray, power: float) -> np.ndarray:
    return np.rint(255 * (image / 255) ** power).astype(np.uint8)


def test_of_real_radiographs_the_changed_copies_are_found_and_no_others(shared):
    """Every sixth of 441 NIH images and 306 of covid-chestxray, with three copies each."""
    folders = [shared / "data" / name / "images" for name in ("nih-256", "covid-chestxray")]
    images = [_real(path) for folder in folders for path in sorted(folder.iterdir())[::6]]
    copies = [copy for image in images for copy in (_jpeg_of_1024(image), _gamma(image, 0.9), _gamma(image, 1.1))]
    n = len(images)
    assert _grouped([*images, *copies]) == [[i, *range(n + 3 * i, n + 3 * i + 3)] for i in range(n)]


def test_a_published_image_and_its_reduced_copy_are_the_same(shared):
    large = sorted((shared / "data" / "nih-1024" / "images").iterdir())
    small = [shared / "data" / "nih-256" / "images" / path.name for path in large]
    assert _grouped([_real(path) for path in [*large, *small]]) == [[i, i + len(large)] for i in range(len(large))]


def test_the_radiographs_that_covid_chestxray_holds_twice(shared):
    """Its metadata gives the same four radiographs to patient 97 and to patient 178."""
    paths = sorted((shared / "data" / "covid-chestxray" / "images").glob("*16660_*"))
    again = sorted((shared / "data" / "covid-chestxray" / "images").glob("covid-19-rapidly-progressive-acute*"))
    assert (len(paths), len(again)) == (5, 4)
    assert [len(group) for group in _grouped([_real(path) for path in [*paths, *again]])] == [2, 2, 2, 2]

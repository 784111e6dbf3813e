from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from benchx.datasets.readers import object_cxr
from benchx.datasets.regions import Box, Ellipse, Polygon, draw
from benchx.errors import DatasetError

HEADERS = {"train": "image_name,annotation\n", "dev": "image_name,annotation\n", "test": "image_path,annotation\n"}


def _root(root: Path, images: tuple[str, ...] = (), **rows: str) -> Path:
    for part, header in HEADERS.items():
        if part in rows:
            (root / part).mkdir()
            (root / f"{part}.csv").write_text(header + rows[part])
    for image in images:
        (root / image).parent.mkdir(parents=True, exist_ok=True)
        (root / image).touch()
    return root


def _drawn(annotation: str, side: int = 60) -> np.ndarray:
    outlines = object_cxr.read_outlines(annotation, Path(), "train.csv, line 2")
    return draw(outlines, object_cxr.CLASSES, side, side, Path())[0]


def test_the_three_tables_are_the_official_split(tmp_path):
    root = _root(
        tmp_path,
        ("train/00001.jpg", "train/00002.jpg", "dev/dev/08001.jpg", "test/09001.JPG", "test/09999.jpg"),
        train="00001.jpg,\n00002.jpg,0 1 2 3 4;1 10 10 20 30;2 0 0 5 0 5 5\n",
        dev="08001.jpg,\n",
        test="images/09001.jpg,1 2 3 9 9\nimages/09002.jpg,\n",
    )
    samples = object_cxr.read(root)
    assert list(samples.table["sample"]) == ["00001", "00002", "08001", "09001", "09002"]
    assert list(samples.table["official"]) == ["train", "train", "val", "test", "test"]
    assert list(samples.table["image"])[2:] == ["dev/dev/08001.jpg", "test/09001.JPG", "test/09002.jpg"]
    assert samples.labels[:, 0].tolist() == [0, 1, 0, 1, 0]
    assert samples.missing == ("09002",)
    assert samples.notes == ("1 images on disk are in no table and are not used",)
    assert samples.regions["00001"] == ()
    where = "train.csv, line 3"
    assert samples.regions["00002"] == (
        Box("Foreign object", 1, 2, 2, 2, where),
        Ellipse("Foreign object", 10, 10, 10, 20, where),
        Polygon("Foreign object", ((0, 0), (5, 0), (5, 5)), where),
    )
    assert samples.table[["patient", "study"]].isna().all(axis=None)


def test_benchx_draws_ellipses_as_boxes(tmp_path):
    root = _root(tmp_path, train="1.jpg,1 10 10 20 30;0 1 2 3 4\n")
    assert object_cxr.read_benchx_2024(root).regions["1"] == (
        Box("Foreign object", 10, 10, 10, 20, "train.csv, line 2"),
        Box("Foreign object", 1, 2, 2, 2, "train.csv, line 2"),
    )


def test_a_missing_part_is_noted_and_the_training_part_is_needed(tmp_path):
    samples = object_cxr.read(_root(tmp_path, train="1.jpg,\n", dev="2.jpg,\n"))
    assert samples.notes == ("test.csv is not there, so its part of the official split is not known",)
    (tmp_path / "train.csv").unlink()
    with pytest.raises(DatasetError, match=r"train.csv is not in (?s:.)*found there: dev.csv, dev/, train/"):
        object_cxr.read(tmp_path)


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path):
    root = _root(tmp_path, train="")
    (root / "train.csv").write_bytes(b"\xef\xbb\xbfimage_path,annotation\r\ntrain/1.jpg,0 1 2 3 4\r\n2.jpg,\r\n")
    assert object_cxr.read(root).labels[:, 0].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        ("3 1 2 3 4", "of the kind '3'; it must be 0, 1 or 2"),
        ("0 1 2 3", r"a rectangle \(0\) or ellipse \(1\) has 3 numbers; it needs 4"),
        ("1 1 2 3 4 5 6", "has 6 numbers; it needs 4"),
        ("2 1 2 3 4", r"a polygon \(2\) has 4 numbers"),
        ("2 1 2 3 4 5 6 7", r"a polygon \(2\) has 7 numbers"),
        ("0 1 2 3 4;0 a 2 3 4", "a coordinate is not a number"),
        ("0 1 2 3 nan", "a coordinate is not a number"),
    ],
)
def test_malformed_annotations_are_refused_by_their_line(tmp_path, annotation, says):
    with pytest.raises(DatasetError, match=rf"train.csv, line 3: the annotation cannot be read(?s:.)*{says}"):
        object_cxr.read(_root(tmp_path, train=f"1.jpg,\n2.jpg,{annotation}\n"))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ({"train": "1.jpg,\n1.jpg,\n"}, "first '1'"),
        ({"train": "1.jpg,\n", "test": "a/1.jpg,\n"}, "train.csv, line 2 and test.csv, line 2"),
        ({"train": "1.jpg,\n,\n2.jpg,\n"}, "line 3 is blank"),
    ],
)
def test_images_listed_twice_or_without_a_name_are_refused(tmp_path, rows, says):
    with pytest.raises(DatasetError, match=says):
        object_cxr.read(_root(tmp_path, **rows))


def test_renamed_columns_two_suffixes_and_absent_folders_are_refused(tmp_path):
    root = _root(tmp_path, ("train/1.jpg", "train/1.jpeg"), train="1.jpg,\n")
    with pytest.raises(DatasetError, match="'1' is there with two suffixes"):
        object_cxr.read(root)
    (root / "train.csv").write_text("name,annotation\n1.jpg,\n")
    with pytest.raises(DatasetError, match=r"no column 'image_name' or 'image_path'(?s:.)*found: name, annotation"):
        object_cxr.read(root)
    (root / "train.csv").write_text("image_name,boxes\n1.jpg,\n")
    with pytest.raises(DatasetError, match="no column 'annotation'"):
        object_cxr.read(root)
    (root / "train.csv").write_text("image_name,annotation\n1.jpg,\n")
    (root / "train").rename(root / "images")
    with pytest.raises(DatasetError, match="no folder train or dev or test"):
        object_cxr.read(root)


def test_a_link_out_of_the_root_is_refused(tmp_path):
    (tmp_path / "root").mkdir()
    root = _root(tmp_path / "root", train="1.jpg,\n")
    (tmp_path / "1.jpg").touch()
    (root / "train" / "1.jpg").symlink_to(tmp_path / "1.jpg")
    with pytest.raises(DatasetError, match="is a link to"):
        object_cxr.read(root)


def test_a_rectangle_is_the_pixels_between_its_corners():
    expected = np.zeros((60, 60), np.uint8)
    expected[20:31, 10:40] = 1
    np.testing.assert_array_equal(_drawn("0 10 20 40 31"), expected)
    np.testing.assert_array_equal(_drawn("0 40 31 10 20"), expected)


@pytest.mark.parametrize("corners", [(10, 20, 40, 31), (3, 3, 9, 50), (0, 0, 60, 60), (7, 8, 8, 9)])
def test_an_ellipse_is_the_pixels_whose_centres_lie_in_it(corners):
    rasterise = pytest.importorskip("skimage.draw")
    left, top, right, bottom = corners
    expected = np.zeros((60, 60), np.uint8)
    middle = ((top + bottom - 1) / 2, (left + right - 1) / 2)
    expected[rasterise.ellipse(*middle, (bottom - top) / 2, (right - left) / 2)] = 1
    np.testing.assert_array_equal(_drawn(f"1 {left} {top} {right} {bottom}"), expected)


@pytest.mark.parametrize("points", ["5 5 50 8 44 40 20 55", "5 5 30 50 55 5 30 20", "10 10 50 10 50 50 10 50"])
def test_a_polygon_differs_from_other_rasterisers_on_its_outline_only(points):
    rasterise = pytest.importorskip("skimage.draw")
    drawn = _drawn(f"2 {points}")
    numbers = np.array(points.split(), int).reshape(-1, 2)
    image = Image.new("L", (60, 60))
    ImageDraw.Draw(image).polygon([tuple(map(int, point)) for point in numbers], fill=1, outline=1)
    inside = np.zeros((60, 60), np.uint8)
    inside[rasterise.polygon(numbers[:, 1], numbers[:, 0])] = 1
    outline = cv2.polylines(np.zeros((60, 60), np.uint8), [numbers.astype(np.int32)], True, 1)
    for expected in (np.asarray(image), inside):
        assert not ((drawn != expected) & (cv2.dilate(outline, np.ones((3, 3), np.uint8)) == 0)).any()
    assert drawn.sum() >= inside.sum() > 500


def test_benchx_lists_name_these_ids(tmp_path, shared):
    folder = shared / "splits" / "benchx-2024" / "Object-CXR"
    lists = {part: (folder / f"{part}.txt").read_text().split() for part in ("train", "val", "test")}
    rows = {part: "".join(f"{n}.jpg,\n" for n in lists[list_]) for part, list_ in object_cxr.PARTS.items()}
    samples = object_cxr.read(_root(tmp_path, **rows))
    for part, names in lists.items():
        assert list(samples.table["sample"][samples.table["official"] == part]) == names

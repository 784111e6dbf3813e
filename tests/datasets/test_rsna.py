from __future__ import annotations

from pathlib import Path

import pytest

from benchx.datasets import rsna
from benchx.errors import DatasetError

HEADER = "patientId,x,y,width,height,Target\n"


def _root(tmp_path: Path, rows: str, images: tuple[str, ...] = ("a", "b")) -> Path:
    (tmp_path / "stage_2_train_images").mkdir()
    for name in images:
        (tmp_path / "stage_2_train_images" / f"{name}.dcm").touch()
    (tmp_path / "stage_2_train_labels.csv").write_text(HEADER + rows)
    return tmp_path


def test_several_boxes_are_one_image_and_the_unit_is_the_image(tmp_path):
    samples = rsna.read(_root(tmp_path, "a,1.0,2.0,3.0,4.0,1\nb,,,,,0\na,9.0,9.0,3.0,4.0,1\n"))
    assert list(samples.table["sample"]) == ["a", "b"]
    assert samples.labels.tolist() == [[1.0], [0.0]]
    assert samples.unit == "image"
    assert samples.table["image"][1] == "stage_2_train_images/b.dcm"
    assert samples.missing == ()


def test_a_missing_image_is_named(tmp_path):
    assert rsna.read(_root(tmp_path, "a,,,,,0\nb,,,,,0\nc,,,,,0\n")).missing == ("c",)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("a,1,2,3,4,1\na,,,,,0\n", "both Target 0 and 1, first 'a'"),
        ("a,,,,,0\nb,,,,,2\n", "line 3: Target is '2'"),
    ],
)
def test_contradicting_labels_are_refused(tmp_path, rows, says):
    with pytest.raises(DatasetError, match=says):
        rsna.read(_root(tmp_path, rows))


def test_missing_folder_and_file_are_named(tmp_path):
    with pytest.raises(DatasetError, match="stage_2_train_labels.csv is not in"):
        rsna.read(tmp_path)
    (tmp_path / "stage_2_train_labels.csv").write_text(HEADER + "a,,,,,0\n")
    with pytest.raises(DatasetError, match="no folder stage_2_train_images in"):
        rsna.read(tmp_path)

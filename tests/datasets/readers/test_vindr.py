from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchx.datasets.readers import vindr
from benchx.errors import DatasetError

A, B, C = "a" * 32, "b" * 32, "c" * 32
COLUMNS = ",".join([*vindr.CLASSES, "No finding"])


def labels(*present: str) -> str:
    return ",".join(str(int(name in present)) for name in [*vindr.CLASSES, "No finding"])


LABELS_TRAIN = [
    f"{A},R8,{labels('Cardiomegaly', 'COPD')}",
    f"{A},R9,{labels('Cardiomegaly', 'Nodule/Mass')}",
    f"{A},R10,{labels('COPD')}",
    f"{B},R1,{labels('No finding')}",
    f"{B},R2,{labels('Pleural effusion')}",
    f"{B},R3,{labels('No finding')}",
]
LABELS_TEST = [f"{C},{labels('Other lesion', 'Other diseases')}"]
BOXES_TRAIN = [
    f"{A},R8,Cardiomegaly,10.0,20.0,30.0,50.0",
    f"{A},R9,Cardiomegaly,11.0,20.0,30.0,50.5",
    f"{A},R9,Nodule/Mass,1,2,3,4",
    f"{B},R1,No finding,,,,",
    f"{B},R2,Pleural effusion,0,0,5,5",
    f"{B},R3,No finding,,,,",
]
BOXES_TEST = [f"{C},Other lesion,2,2,6,8"]
FILES = {
    "image_labels_train.csv": [f"image_id,rad_id,{COLUMNS}", *LABELS_TRAIN],
    "image_labels_test.csv": [f"image_id,{COLUMNS.replace('Other diseases', 'Other disease')}", *LABELS_TEST],
    "annotations_train.csv": ["image_id,rad_id,class_name,x_min,y_min,x_max,y_max", *BOXES_TRAIN],
    "annotations_test.csv": ["image_id,class_name,x_min,y_min,x_max,y_max", *BOXES_TEST],
}


def write(
    root: Path, images: tuple[str, ...] = (f"train/{A}.dicom", f"train/{B}.dicom", f"test/{C}.dicom"), ends: str = "\n"
) -> Path:
    (root / "annotations").mkdir()
    for name, lines in FILES.items():
        (root / "annotations" / name).write_bytes((ends.join(lines) + ends).encode())
    for image in images:
        (root / image).parent.mkdir(exist_ok=True)
        (root / image).touch()
    return root


def edit(root: Path, name: str, old: str, new: str) -> None:
    path = root / "annotations" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def found(samples, row: int) -> list[str]:
    return [samples.classes[column] for column in np.flatnonzero(samples.labels[row])]


def test_a_finding_needs_two_of_three_readers_and_the_test_file_is_taken_as_it_is(tmp_path):
    samples = vindr.read(write(tmp_path))
    assert list(samples.table["sample"]) == [A, B, C]
    assert list(samples.table["official"]) == ["train", "train", "test"]
    assert list(samples.table["image"]) == [f"train/{A}.dicom", f"train/{B}.dicom", f"test/{C}.dicom"]
    assert [found(samples, row) for row in range(3)] == [
        ["Cardiomegaly", "COPD"],
        [],
        ["Other lesion", "Other diseases"],
    ]
    assert samples.labels.dtype == np.float32
    assert samples.unit == "image"
    assert samples.missing == ()
    assert samples.notes == ()


def test_benchx_takes_what_any_reader_boxed_under_its_own_names(tmp_path):
    samples = vindr.read_benchx_2024(write(tmp_path))
    assert len(samples.classes) == 14
    assert [found(samples, row) for row in range(3)] == [["Cardiomegaly", "Nodule/Mass"], ["Effusion"], ["Lesion"]]
    assert samples.regions == {}


def test_every_reader_keeps_their_boxes(tmp_path):
    samples = vindr.read(write(tmp_path))
    boxes = samples.regions[A]
    assert [(box.label, box.x, box.y, box.width, box.height) for box in boxes] == [
        ("Cardiomegaly", 10, 20, 20, 30),
        ("Cardiomegaly", 11, 20, 19, 30.5),
        ("Nodule/Mass", 1, 2, 2, 2),
    ]
    assert boxes[2].where == "annotations/annotations_train.csv, line 4"
    assert [len(samples.regions[name]) for name in (B, C)] == [1, 1]
    layers = samples.masks(C, 10, 12)
    assert layers.shape == (22, 10, 12)
    assert layers.sum() == layers[vindr.MASK_CLASSES.index("Other lesion"), 2:8, 2:6].sum() == 24


@pytest.mark.parametrize("reader", [vindr.read, vindr.read_benchx_2024])
@pytest.mark.parametrize(
    ("images", "paths", "missing"),
    [
        ([f"train/{A}.png", f"test/{C}.png"], [f"train/{A}.png", f"train/{B}.png", f"test/{C}.png"], (B,)),
        ([f"images/{A}.png"], [f"images/{A}.png", f"images/{B}.png", f"images/{C}.png"], (B, C)),
        (["train/1.dicom"], [f"train/{A}.dicom", f"train/{B}.dicom", f"test/{C}.dicom"], (A, B, C)),
        ([f"train/{A}.dicom"], [f"train/{A}.dicom", f"train/{B}.dicom", f"test/{C}.dicom"], (B, C)),
    ],
)
def test_images_may_be_png_in_two_folders_or_one_and_may_be_missing(tmp_path, reader, images, paths, missing):
    samples = reader(write(tmp_path, tuple(images)))
    assert list(samples.table["image"]) == paths
    assert samples.missing == missing


def test_images_in_no_file_are_counted(tmp_path):
    samples = vindr.read(write(tmp_path, ("train/1.dicom", f"train/{A}.dicom", "test/2.dicom")))
    assert samples.notes == ("2 image files stand in no label file and are not used",)


def test_byte_order_mark_and_carriage_returns_are_accepted(tmp_path):
    root = write(tmp_path, ends="\r\n")
    for path in (root / "annotations").iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert found(vindr.read(root), 0) == ["Cardiomegaly", "COPD"]


LAST = labels("Other lesion", "Other diseases")


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("image_labels_train.csv", "rad_id", "rad", "no column 'rad_id'"),
        ("image_labels_train.csv", "Lung cyst", "Cyst", "no column 'Lung cyst'"),
        ("image_labels_test.csv", "Other disease", "Others", "no column 'Other diseases' or 'Other disease'"),
        ("image_labels_train.csv", f"{A},R9", f"{A},R8", "line 3: reader R8 stands twice for image 'aaa"),
        ("image_labels_train.csv", f"{B},R3", f"{C},R3", "line 5: image 'bbb.*' has 2 readers, not 3"),
        ("image_labels_train.csv", "R8,0,0,0,1", "R8,0,0,0,2", "line 2: Cardiomegaly is '2'"),
        ("image_labels_train.csv", "R8,0,0,0,1", "R8,0,0,0,", "line 2: Cardiomegaly is empty"),
        ("image_labels_train.csv", f"{B},R2", f"{B},", "line 6: 'rad_id' is empty"),
        ("image_labels_test.csv", f"{C},{LAST}", f"{C},{LAST}\n{C},{LAST}", "lists 1 ids more than once"),
        ("image_labels_test.csv", f"{C},{LAST}", f"{C},{LAST}\n{A},{LAST}", "1 images stand in the train and the test"),
        ("annotations_train.csv", "x_max", "xmax", "no column 'x_max'"),
        ("annotations_train.csv", "30.0,50.0", "30.0,fifty", "line 2: y_max is 'fifty'"),
        ("annotations_train.csv", "30.0,50.0", "30.0,", "line 2: 'Cardiomegaly' of image 'aaa"),
        ("annotations_train.csv", "30.0,50.0", "9.0,50.0", "line 2: 'Cardiomegaly' of image 'aaa"),
        ("annotations_train.csv", "No finding,,,,", "No finding,1,2,3,4", "line 5: 'No finding' of image 'bbb"),
        ("annotations_train.csv", "R8,Cardiomegaly", "R8,Big heart", "line 2: class_name is 'Big heart'"),
        ("annotations_test.csv", C, B, "line 2: 'Other lesion' of image 'bbb"),
    ],
)
def test_a_wrong_file_is_one_clear_error(tmp_path, name, old, new, says):
    root = write(tmp_path)
    edit(root, name, old, new)
    with pytest.raises(DatasetError, match=says) as caught:
        vindr.read(root)
    assert caught.value.why
    assert caught.value.todo


def test_one_image_with_two_suffixes_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="with two suffixes"):
        vindr.read(write(tmp_path, (f"train/{A}.dicom", f"train/{A}.png")))


def test_a_link_out_of_the_root_is_refused(tmp_path):
    outside = tmp_path / "elsewhere.dicom"
    outside.touch()
    (tmp_path / "root").mkdir()
    root = write(tmp_path / "root")
    (root / "train" / f"{A}.dicom").unlink()
    (root / "train" / f"{A}.dicom").symlink_to(outside)
    with pytest.raises(DatasetError, match="is a link to"):
        vindr.read(root)


def test_a_wrong_root_is_named(tmp_path):
    with pytest.raises(DatasetError, match="image_labels_train.csv is not in"):
        vindr.read(tmp_path)
    (tmp_path / "train.csv").write_text("image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n")
    for reader in (vindr.read, vindr.read_benchx_2024):
        with pytest.raises(DatasetError, match="holds train.csv and no folder annotations") as caught:
            reader(tmp_path)
        assert "VinBigData" in caught.value.why


def test_the_classes_are_the_27_label_columns_of_which_22_are_boxed():
    assert len(vindr.CLASSES) == 27
    assert vindr.DATASET.classes[:22] == vindr.DATASET.mask_classes
    assert len(set(vindr.CLASSES)) == 27
    assert vindr.DATASET.read_benchx_2024 is vindr.read_benchx_2024

from __future__ import annotations

import csv
import gzip
import importlib.util
import shutil
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from benchx.datasets.readers import siim
from benchx.datasets.regions import Runs
from benchx.datasets.splits import make_folds, split_digest
from benchx.errors import DatasetError
from benchx.images.decode import read

HEADER = "ImageId, EncodedPixels\n"
PNG_HEADER = "new_filename,ImageId,has_pneumo\n"


def _dicom_root(root: Path, rows: str, images: tuple[str, ...] = (), table: str = "train-rle.csv") -> Path:
    (root / "dicom-images-train").mkdir(parents=True, exist_ok=True)
    for name in images:
        folder = root / "dicom-images-train" / f"study-{name}" / f"series-{name}"
        folder.mkdir(parents=True)
        (folder / f"{name}.dcm").touch()
    (root / table).write_text(HEADER + rows)
    return root


def _png_root(root: Path, train: str, test: str | None, images: tuple[str, ...] = ()) -> Path:
    for folder in ("png_images", "png_masks"):
        (root / folder).mkdir()
        for name in images:
            cv2.imwrite(str(root / folder / f"{name}.png"), np.full((8, 8), 255 * (folder == "png_masks"), np.uint8))
    (root / "stage_1_train_images.csv").write_text(PNG_HEADER + train)
    if test is not None:
        (root / "stage_1_test_images.csv").write_text(PNG_HEADER + test)
    return root


def _naive(texts: list[str]) -> np.ndarray:
    """Decode run lengths pair by pair, as the challenge describes them."""
    flat = np.zeros(1024 * 1024, np.uint8)
    for text in texts:
        at, numbers = 0, [int(word) for word in text.split()]
        for skip, run in zip(numbers[::2], numbers[1::2], strict=True):
            flat[at + skip : at + skip + run] = 1
            at += skip + run
    return flat.reshape(1024, 1024).T


def test_rows_of_one_image_are_united(tmp_path):
    rows = "a.1,0 2 1022 3\nb.2, -1\na.1,2050 1\na.1,2050 1\nc.3,-1\n"
    samples = siim.read(_dicom_root(tmp_path, rows, ("a.1", "b.2", "spare")))
    assert list(samples.table["sample"]) == ["a.1", "b.2", "c.3"]
    assert samples.labels.tolist() == [[1.0], [0.0], [0.0]]
    assert samples.table["image"][0] == "dicom-images-train/study-a.1/series-a.1/a.1.dcm"
    assert samples.missing == ("c.3",)
    assert samples.notes == ("1 images on disk are in no table and are not used",)
    assert samples.regions["b.2"] == ()
    assert samples.regions["a.1"] == (
        Runs("Pneumothorax", (0, 1024), (2, 3), (1024, 1024), "train-rle.csv, line 2"),
        Runs("Pneumothorax", (2050,), (1,), (1024, 1024), "train-rle.csv, line 4"),
    )
    mask = samples.masks("a.1", 1024, 1024)[0]
    assert sorted(zip(*np.nonzero(mask), strict=True)) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2)]


def test_the_split_is_a_hash_where_none_is_published(tmp_path):
    samples = siim.read(_dicom_root(tmp_path, "a,-1\nb,-1\n"))
    assert not samples.publishes_split
    assert set(samples.table["official"]) == {""}
    assert samples.unit == "image"


@pytest.mark.parametrize("table", siim.TABLES[:3])
def test_the_table_is_known_by_each_of_its_names(tmp_path, table):
    assert len(siim.read(_dicom_root(tmp_path, "a,-1\n", table=table)).table) == 1


def test_the_second_stage_covers_both_image_folders(tmp_path):
    root = _dicom_root(tmp_path, "a,-1\nb,-1\n", ("a",), table="stage_2_train.csv")
    (root / "dicom-images-test").mkdir()
    (root / "dicom-images-test" / "b.dcm").touch()
    samples = siim.read(root)
    assert samples.missing == ()
    assert samples.table["image"][1] == "dicom-images-test/b.dcm"


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path):
    root = _dicom_root(tmp_path, "")
    (root / "train-rle.csv").write_bytes(b"\xef\xbb\xbf" + HEADER.replace("\n", "\r\n").encode() + b"a,5 2\r\nb,-1\r\n")
    assert siim.read(root).labels.tolist() == [[1.0], [0.0]]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("a,-1\nb,-1\na,5 2\n", r"train-rle.csv, lines 2, 4: 'a' has a mask and is said to have none"),
        ("a,-1\nb,5 2 7\n", r"train-rle.csv, line 3: .*(?s:.)*3 numbers do not make pairs"),
        ("a,5 x\n", r"line 2: .*(?s:.)*'x' is not the number of a pixel"),
        ("a,5 2.5\n", r"line 2: .*(?s:.)*'2.5' is not the number"),
        ("a,5 -2\n", r"line 2: .*(?s:.)*'-2' is not the number of a pixel"),
        ("a,1048570 7\n", r"line 2: .*(?s:.)*a run ends at pixel 1048577 of 1024 x 1024 = 1048576"),
        ("a,5 99999999999999999999\n", r"line 2: .*(?s:.)*'99999999999999999999' is not the number"),
        ("a,\n", "line 2: 'EncodedPixels' is empty"),
        (",5 2\n", "line 2: 'ImageId' is empty"),
    ],
)
def test_malformed_rows_are_refused_by_their_line(tmp_path, rows, says):
    with pytest.raises(DatasetError, match=says) as caught:
        siim.read(_dicom_root(tmp_path, rows))
    assert caught.value.todo


def test_the_last_pixel_can_be_in_a_run(tmp_path):
    mask = siim.read(_dicom_root(tmp_path, "a,1048570 6\n")).masks("a", 1024, 1024)[0]
    assert mask.sum() == 6
    assert mask[-6:, -1].all()


def test_a_wrong_root_says_what_is_there(tmp_path):
    (tmp_path / "readme.txt").touch()
    with pytest.raises(DatasetError, match=r"train-rle.csv is not in (?s:.)*found there: readme.txt"):
        siim.read(tmp_path)
    (tmp_path / "train-rle.csv").write_text("ImageId,Encoded\na,-1\n")
    with pytest.raises(DatasetError, match=r"no column 'EncodedPixels'(?s:.)*found: ImageId, Encoded"):
        siim.read(tmp_path)
    (tmp_path / "train-rle.csv").write_text(HEADER + "a,-1\n")
    with pytest.raises(DatasetError, match="no folder dicom-images-train"):
        siim.read(tmp_path)


def test_a_link_out_of_the_root_is_refused(tmp_path):
    outside = tmp_path / "elsewhere.dcm"
    outside.touch()
    root = tmp_path / "root"
    root.mkdir()
    _dicom_root(root, "a,-1\n")
    (root / "dicom-images-train" / "a.dcm").symlink_to(outside)
    with pytest.raises(DatasetError, match="is a link to"):
        siim.read(root)


def test_the_png_form_publishes_a_split_and_mask_files(tmp_path):
    train = "7_train_1_.png,x,1\n2_train_0_.png,y,0\n"
    samples = siim.read(_png_root(tmp_path, train, "0_test_1_.png,z,1\n", ("7_train_1_", "0_test_1_", "9_test_0_")))
    assert list(samples.table["sample"]) == ["7_train_1_", "2_train_0_", "0_test_1_"]
    assert list(samples.table["official"]) == ["train", "train", "test"]
    assert samples.publishes_split
    assert samples.labels.tolist() == [[1.0], [0.0], [1.0]]
    assert samples.missing == ("2_train_0_",)
    assert "2_train_0_" not in samples.regions
    assert samples.masks("0_test_1_", 16, 16).sum() == 256
    assert samples.notes == (
        "1 images have no file in png_masks, so their outlines are not known",
        "1 images on disk are in no table and are not used",
    )


def test_a_png_form_without_its_test_table_says_so(tmp_path):
    assert (
        "stage_1_test_images.csv is not there" in siim.read(_png_root(tmp_path, "7_train_1_.png,x,1\n", None)).notes[0]
    )


@pytest.mark.parametrize(
    ("train", "test", "says"),
    [
        ("a.png,x,2\n", "b.png,x,0\n", "stage_1_train_images.csv, line 2: has_pneumo is '2'"),
        ("a.png,x,1\n", "b.png,x,\n", "stage_1_test_images.csv, line 2: has_pneumo is empty"),
        ("a.png,x,1\n,x,1\n", "b.png,x,0\n", "line 3: 'new_filename' is empty"),
        ("a.png,x,1\na.png,x,1\n", "b.png,x,0\n", "first 'a'"),
        ("a.png,x,1\n", "a.png,x,1\n", "'a' stands in both"),
    ],
)
def test_malformed_png_tables_are_refused(tmp_path, train, test, says):
    with pytest.raises(DatasetError, match=says):
        siim.read(_png_root(tmp_path, train, test))


def test_two_suffixes_and_two_forms_are_refused(tmp_path):
    root = _png_root(tmp_path, "a.png,x,1\n", "b.png,x,0\n", ("a",))
    (root / "png_images" / "a.PNG").touch()
    with pytest.raises(DatasetError, match="'a' is there with two suffixes"):
        siim.read(root)
    _dicom_root(root, "a,-1\n")
    with pytest.raises(DatasetError, match="holds both train-rle.csv and stage_1_train_images.csv"):
        siim.read(root)


def test_benchx_lists_name_the_png_form_s_ids(tmp_path, shared):
    folder = shared / "splits" / "benchx-2024" / "SIIM"
    train, test = ((folder / f"{part}.txt").read_text().split() for part in ("train", "test"))
    rows = {part: "".join(f"{n}.png,x,{n[-2]}\n" for n in names) for part, names in (("train", train), ("test", test))}
    samples = siim.read(_png_root(tmp_path, rows["train"], rows["test"]))
    assert set(samples.table["sample"][samples.table["official"] == "test"]) == set(test)
    assert set(train) <= set(samples.table["sample"])


@pytest.fixture
def published(tmp_path):
    """A root with the published table and no image."""
    found = importlib.util.find_spec("torchxrayvision")
    if found is None or found.origin is None:
        pytest.skip("torchxrayvision, which ships the table, is not installed")
    shutil.copy(Path(found.origin).parent / "data" / "siim-pneumothorax-train-rle.csv.gz", tmp_path)
    (tmp_path / "dicom-images-train").mkdir()
    return tmp_path


def test_the_split_does_not_hang_on_where_the_files_lie(tmp_path):
    names = [f"1.{number}" for number in range(60)]
    nested = _dicom_root(tmp_path / "nested", "".join(f"{name},-1\n" for name in names), names)
    flat = tmp_path / "flat"
    (flat / "dicom-images-train").mkdir(parents=True)
    shutil.copy(nested / "train-rle.csv", flat)
    for path in nested.rglob("*.dcm"):
        shutil.copy(path, flat / "dicom-images-train")
    partly = shutil.copytree(nested, tmp_path / "partly")
    next(partly.rglob("*.dcm")).unlink()
    splits = [siim.read(root) for root in (nested, flat, partly)]
    assert {samples.unit for samples in splits} == {"image"}
    assert len({split_digest(samples, make_folds(samples, "official")) for samples in splits}) == 1


def test_a_png_name_that_contradicts_its_row_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"stage_1_train_images.csv, line 2: '7_train_0_' .* has_pneumo 1"):
        siim.read(_png_root(tmp_path, "7_train_0_.png,a,1\n", "8_test_0_.png,b,0\n"))


def test_the_whole_published_table(published):
    samples = siim.read(published)
    with gzip.open(published / "siim-pneumothorax-train-rle.csv.gz", "rt") as file:
        rows = list(csv.reader(file))[1:]
    masks: dict[str, list[str]] = {name: [] for name, _ in rows}
    for name, cell in rows:
        if cell.strip() != "-1":
            masks[name].append(cell)
    assert len(rows) == 12_954
    assert len(samples.table) == len(masks) == len(samples.missing) == 12_047
    assert samples.labels.sum() == sum(map(bool, masks.values())) == 2_669
    labels = dict(zip(samples.table["sample"], samples.labels[:, 0], strict=True))
    assert labels == {name: float(bool(cells)) for name, cells in masks.items()}

    positive = sorted(name for name, cells in masks.items() if cells)
    several = [name for name in positive if len(masks[name]) > 1]
    chosen = positive[::60][:45] + several[:5]
    assert len(chosen) == 50
    for name in chosen:
        assert np.array_equal(samples.masks(name, 1024, 1024)[0], _naive(masks[name])), name


def test_a_real_image_meets_its_row_of_the_published_table(published, shared):
    real = next((shared / "data" / "dicom-sample").glob("1.2.276.*.dcm"))
    header = pydicom.dcmread(real, stop_before_pixels=True)
    folder = published / "dicom-images-train" / header.StudyInstanceUID / header.SeriesInstanceUID
    folder.mkdir(parents=True)
    shutil.copy(real, folder)
    samples = siim.read(published)
    here = samples.table[samples.table["sample"] == real.stem].iloc[0]
    assert len(samples.missing) == 12_046
    assert samples.labels[here.name] == 0
    assert samples.regions[real.stem] == ()
    assert read(published / here["image"]).shape == (1024, 1024)

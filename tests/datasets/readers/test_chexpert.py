"""CheXpert's tables, hand-made and (from torchxrayvision) of full size."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchx.datasets.readers import chexpert
from benchx.datasets.readers.chexpert_labels import OBSERVATIONS
from benchx.datasets.splits import make_folds, units_in_two_parts
from benchx.errors import DatasetError

HEADER = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,"
    "Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
VALUES = "1.0,,,,,,,,,0.0,-1.0,,,1.0"
FRONTAL = f"CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,{VALUES}"
LATERAL = f"Any/train/patient00001/study1/view2_lateral.jpg,Female,68,Lateral,,{VALUES}"
VALID = f"Any/valid/patient64541/study1/view1_frontal.jpg,Unknown,73,Frontal,PA,{','.join(['0.0'] * 13)},1.0"


def _root(root: Path, train: tuple[str, ...] = (FRONTAL, LATERAL), valid: tuple[str, ...] = (VALID,)) -> Path:
    for name, rows in (("train", train), ("valid", valid)):
        (root / name).mkdir(parents=True)
        (root / f"{name}.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    return root


def _touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def test_a_row_becomes_a_sample(tmp_path):
    root = _root(tmp_path)
    _touch(root, "train/patient00001/study1/view1_frontal.jpg", "valid/patient64541/study1/view1_frontal.jpg")
    samples = chexpert.read(root)
    assert samples.table.iloc[0].to_dict() == {
        "sample": "patient00001/study1/view1_frontal",
        "patient": "patient00001",
        "study": "patient00001/study1",
        "view": "AP",
        "sex": "F",
        "age": 68.0,
        "image": "train/patient00001/study1/view1_frontal.jpg",
        "official": "train",
    }
    assert samples.table["view"].tolist() == ["AP", "LATERAL", "PA"]
    assert samples.table["official"].tolist() == ["train", "train", "test"]
    assert samples.table["sex"].isna().tolist() == [False, False, True]
    assert samples.missing == ("patient00001/study1/view2_lateral",)
    assert samples.unit == "patient"
    assert not samples.notes


def test_blank_is_absent_and_minus_one_is_unknown_until_a_policy_is_chosen(tmp_path):
    samples = chexpert.read(_root(tmp_path))
    expected = np.zeros(14)
    expected[[0, 13]], expected[10] = 1, np.nan
    np.testing.assert_array_equal(samples.labels[0], expected)
    assert np.argwhere(samples.uncertain).tolist() == [[0, 10], [1, 10]]
    assert samples.count_uncertain_as("positive").labels[0, 10] == 1
    assert samples.count_uncertain_as("negative").labels[0, 10] == 0
    assert samples.labels[2].tolist() == [0] * 13 + [1]


def test_byte_order_mark_crlf_and_whole_numbers_are_read(tmp_path):
    root = _root(tmp_path)
    text = (root / "train.csv").read_text().replace("1.0", "1").replace("0.0", "0")
    (root / "train.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert chexpert.read(root).labels[0, [0, 9, 13]].tolist() == [1, 0, 1]


def test_images_that_no_table_lists_are_counted(tmp_path):
    root = _root(tmp_path)
    _touch(root, "train/patient00009/study1/view1_frontal.jpg", "train/patient00001/study1/view1_frontal.jpg")
    assert chexpert.read(root).notes == ("1 images are on disk but not in train.csv or valid.csv; they are not used",)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (FRONTAL, r"train\.csv lists 1 ids more than once.*lines 2, 4"),
        (FRONTAL.replace("frontal.jpg", "frontal.png"), r"train\.csv, line 4: Path is .*must be of the form"),
        (FRONTAL.replace("/train/", "/valid/"), r"train\.csv, line 4: Path is"),
        (FRONTAL.replace("study1", ".."), r"train\.csv, line 4: Path is"),
        (FRONTAL[len("CheXpert-v1.0-small/") :], r"train\.csv, line 4: Path is 'train/"),
        ("," + FRONTAL.split(",", 1)[1], r"train\.csv, line 4: Path is empty"),
        (FRONTAL.replace("view1", "view3").replace(",Frontal,", ",Oblique,"), "line 4: Frontal/Lateral is 'Oblique'"),
        (FRONTAL.replace("view1", "view3").replace("Female", "F"), "line 4: Sex is 'F'"),
        (FRONTAL.replace("view1", "view3").replace("68", "old"), "line 4: Age is 'old'.*must be a number"),
        (FRONTAL.replace("view1", "view3").replace("-1.0", "2.0"), "line 4: Pleural Effusion is '2.0'"),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(tmp_path, row, says):
    with pytest.raises(DatasetError, match=f"(?s){says}") as caught:
        chexpert.read(_root(tmp_path, (FRONTAL, LATERAL, row)))
    assert caught.value.todo


def test_a_patient_in_both_lists_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"valid\.csv, line 2: patient00001 is also in train\.csv"):
        chexpert.read(_root(tmp_path, valid=(VALID.replace("64541", "00001"),)))


def test_a_wrong_root_and_renamed_columns_are_explained(tmp_path):
    _root(tmp_path / "CheXpert-v1.0-small")
    with pytest.raises(DatasetError, match=r"(?s)train\.csv is not in .*found there: CheXpert-v1\.0-small/"):
        chexpert.read(tmp_path)
    table = tmp_path / "CheXpert-v1.0-small" / "valid.csv"
    table.write_text(table.read_text().replace("AP/PA", "View"))
    with pytest.raises(DatasetError, match=r"valid\.csv has no column 'AP/PA'"):
        chexpert.read(table.parent)


def test_missing_image_folders_and_links_out_of_the_root_are_refused(tmp_path):
    root = _root(tmp_path / "root")
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (root / "train" / "patient00001").symlink_to(outside)
    with pytest.raises(DatasetError, match="is a link to .*elsewhere, outside"):
        chexpert.read(root)
    (root / "train" / "patient00001").unlink()
    (root / "train").rmdir()
    (root / "valid").rmdir()
    with pytest.raises(DatasetError, match="no folder train or valid in"):
        chexpert.read(root)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The published training table; the images are not here."""
    found = importlib.util.find_spec("torchxrayvision")
    table = Path(found.origin).parent / "data" / "chexpert_train.csv.gz" if found and found.origin else None
    if table is None or not table.is_file():
        pytest.skip("torchxrayvision, which carries the published table, is not installed")
    root = _root(tmp_path_factory.mktemp("chexpert"))
    (root / "train.csv").write_bytes(gzip.decompress(table.read_bytes()))
    return chexpert.read(root)


def test_the_published_training_table(published):
    samples = published
    train = samples.take(np.flatnonzero(samples.table["official"] == "train"))
    assert len(train.table) == 223_414
    assert train.table["patient"].nunique() == 64_540
    table = pd.read_csv(published.root / "train.csv")
    assert tuple(table.columns[5:]) == OBSERVATIONS == train.classes
    for column, name in enumerate(OBSERVATIONS):
        values = table[name].to_numpy()
        labels = train.labels[:, column]
        assert (labels == 1).sum() == (values == 1).sum()
        assert (labels == 0).sum() == (values == 0).sum() + np.isnan(values).sum()
        assert train.uncertain[:, column].sum() == np.isnan(labels).sum() == (values == -1).sum()
    assert (train.labels[:, 2] == 1).sum() == 27_000
    assert train.uncertain[:, 8].sum() == 33_739
    views = train.table["view"].value_counts().to_dict()
    assert views == {"AP": 161_590, "LATERAL": 32_387, "PA": 29_420, "LL": 16, "RL": 1}
    assert len(samples.missing) == len(samples.table)


def test_validation_patients_are_taken_from_training(published):
    folds = make_folds(published, "official")
    assert units_in_two_parts(published, folds) == []
    assert 0.09 < len(folds[0].val) / 223_414 < 0.11
    assert len(folds[0].test) == 1

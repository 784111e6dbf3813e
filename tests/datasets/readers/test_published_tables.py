"""The readers at full size: the published tables that lie in torchxrayvision's wheel, and BenchX's lists of ids."""

from __future__ import annotations

import gzip
import importlib.util
import zipfile
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchx.datasets.readers import nih, rsna, vindr
from benchx.datasets.regions import fault


@pytest.fixture(scope="module")
def tables() -> Path:
    """The folder of published tables in torchxrayvision, which is looked up and not imported."""
    found = importlib.util.find_spec("torchxrayvision")
    if found is None or not found.submodule_search_locations:
        pytest.skip("torchxrayvision is not installed")
    return Path(found.submodule_search_locations[0]) / "data"


def listed(shared: Path, dataset: str, part: str) -> list[str]:
    return (shared / "splits" / "benchx-2024" / dataset / f"{part}.txt").read_text().split()


@pytest.fixture(scope="module")
def nih_samples(tables, tmp_path_factory):
    root = tmp_path_factory.mktemp("nih")
    (root / "images").mkdir()
    for name in ("Data_Entry_2017_v2020.csv", "BBox_List_2017.csv"):
        (root / name).write_bytes(gzip.decompress((tables / f"{name}.gz").read_bytes()))
    return nih.read(root)


@pytest.fixture(scope="module")
def rsna_samples(tables, tmp_path_factory):
    root = tmp_path_factory.mktemp("rsna")
    (root / rsna.FOLDER).mkdir()
    with zipfile.ZipFile(tables / "kaggle_stage_2_train_labels.csv.zip") as archive:
        archive.extract(rsna.TABLE, root)
    return rsna.read(root)


def test_nih_counts_are_those_of_the_table(nih_samples, tables):
    entries = pd.read_csv(tables / "Data_Entry_2017_v2020.csv.gz")
    counts = entries["Finding Labels"].str.get_dummies("|").sum()
    assert len(nih_samples.table) == len(nih_samples.missing) == len(entries) == 112_120
    assert nih_samples.labels.sum(axis=0).tolist() == [counts[name] for name in nih.CLASSES]
    assert (nih_samples.labels.sum(axis=1) == 0).sum() == counts["No Finding"] == 60_361
    assert nih_samples.table["patient"].nunique() == entries["Patient ID"].nunique() == 30_805


def test_nih_boxes_all_lie_in_their_images(nih_samples, tables):
    boxes = [box for regions in nih_samples.regions.values() for box in regions]
    assert len(boxes) == 984
    assert len(nih_samples.regions) == 880
    assert {fault(box, 1024, 1024) for box in boxes} == {None}
    published = pd.read_csv(tables / "BBox_List_2017.csv.gz")["Finding Label"].value_counts()
    counts = pd.Series([box.label for box in boxes]).value_counts()
    assert counts.rename({"Infiltration": "Infiltrate"}).to_dict() == published.to_dict()


def test_the_benchx_lists_of_nih_name_every_image_once(nih_samples, shared):
    parts = {part: listed(shared, "NIH_Chest_Xray", part) for part in ("train", "val", "test")}
    assert {part: len(names) for part, names in parts.items()} == {"train": 78_468, "val": 11_219, "test": 22_433}
    assert sorted(chain(*parts.values())) == sorted(nih_samples.table["sample"])


def test_rsna_counts_and_boxes_are_those_of_the_table(rsna_samples):
    boxes = [box for regions in rsna_samples.regions.values() for box in regions]
    assert len(rsna_samples.table) == len(rsna_samples.regions) == 26_684
    assert len(boxes) == 9_555
    assert {fault(box, 1024, 1024) for box in boxes} == {None}
    boxed = [bool(rsna_samples.regions[name]) for name in rsna_samples.table["sample"]]
    assert (rsna_samples.labels[:, 0] == boxed).all()
    assert sum(boxed) == 6_012


def test_the_benchx_lists_of_rsna_name_every_image_once(rsna_samples, shared):
    parts = {part: listed(shared, "RSNA", part) for part in ("train", "val", "test")}
    assert {part: len(names) for part, names in parts.items()} == {"train": 18_678, "val": 4_003, "test": 4_003}
    assert sorted(chain(*parts.values())) == sorted(rsna_samples.table["sample"])


@pytest.fixture(scope="module")
def vinbigdata(tables) -> pd.DataFrame:
    """The Kaggle release of the training annotations: the same images and readers, 14 merged classes."""
    return pd.read_csv(tables / "vinbigdata-train.csv.gz", dtype=str)


@pytest.fixture(scope="module")
def vindr_root(vinbigdata, tmp_path_factory) -> Path:
    """VinDr-CXR files made of the Kaggle annotations: each reader's labels are the names of their boxes."""
    root = tmp_path_factory.mktemp("vindr")
    (root / "train").mkdir()
    (root / "annotations").mkdir()
    write = {"index": False, "lineterminator": "\n"}
    vinbigdata.to_csv(root / "annotations" / "annotations_train.csv", **write)
    marked = pd.crosstab([vinbigdata["image_id"], vinbigdata["rad_id"]], vinbigdata["class_name"]).clip(upper=1)
    columns = [*vindr.CLASSES, "No finding"]
    marked = marked.reindex(columns=columns, fill_value=0).reset_index()
    marked.to_csv(root / "annotations" / "image_labels_train.csv", **write)
    test = pd.DataFrame([["f" * 32, *[0] * 27, 1]], columns=["image_id", *columns])
    test.to_csv(root / "annotations" / "image_labels_test.csv", **write)
    none = "image_id,class_name,x_min,y_min,x_max,y_max\n" + "f" * 32 + ",No finding,,,,\n"
    (root / "annotations" / "annotations_test.csv").write_text(none)
    return root


def test_vindr_takes_the_majority_of_15_000_images(vinbigdata, vindr_root):
    samples = vindr.read(vindr_root)
    assert len(samples.table) == 15_001
    readers = vinbigdata.drop_duplicates(["image_id", "rad_id", "class_name"])
    votes = readers.groupby(["class_name", "image_id"]).size()
    majority = votes[votes >= 2].groupby("class_name").size()
    counts = dict(zip(samples.classes, samples.labels.sum(axis=0).astype(int), strict=True))
    assert counts == {name: majority.get(name, 0) for name in vindr.CLASSES}
    boxes = [box for regions in samples.regions.values() for box in regions]
    assert len(boxes) == (vinbigdata["class_name"] != "No finding").sum() == 36_096


def test_vindr_of_benchx_takes_the_union_of_15_000_images(vinbigdata, vindr_root):
    samples = vindr.read_benchx_2024(vindr_root)
    union = vinbigdata.groupby("class_name")["image_id"].nunique()
    counts = dict(zip(samples.classes, samples.labels.sum(axis=0).astype(int), strict=True))
    renamed = {
        "Effusion": "Pleural effusion",
        "Lesion": "Other lesion",
        "Pleural_Thickening": "Pleural thickening",
        "Pulmonary Fibrosis": "Pulmonary fibrosis",
    }
    assert counts == {name: union[renamed.get(name, name)] for name in vindr.BENCHX_SYNONYMS}
    assert (samples.labels.sum(axis=1) == 0).sum() == np.sum(
        vinbigdata.groupby("image_id")["class_name"].nunique().eq(1)
        & vinbigdata.groupby("image_id")["class_name"].first().eq("No finding")
    ) + 1


def test_the_benchx_lists_of_vindr_hold_the_15_000_training_images(vinbigdata, shared):
    parts = {part: listed(shared, "VinDr_CXR", part) for part in ("train", "val", "test")}
    assert {part: len(names) for part, names in parts.items()} == {"train": 12_000, "val": 3_000, "test": 3_000}
    assert sorted(parts["train"] + parts["val"]) == sorted(vinbigdata["image_id"].unique())
    assert not set(parts["test"]) & set(vinbigdata["image_id"])


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_nih_prevalence_is_that_which_torchxrayvision_counts(nih_samples, tmp_path):
    torchxrayvision = pytest.importorskip("torchxrayvision")
    theirs = torchxrayvision.datasets.NIH_Dataset(imgpath=str(tmp_path), views=["PA", "AP"], unique_patients=False)
    totals = {name: {int(value): count for value, count in counts.items()} for name, counts in theirs.totals().items()}
    ours = {
        name: {0: int((column == 0).sum()), 1: int((column == 1).sum())}
        for name, column in zip(nih_samples.classes, nih_samples.labels.T, strict=True)
    }
    assert ours == totals

"""VinDr-CXR 1.0.0 (Nguyen et al., Scientific Data 2022), read from the files as published on PhysioNet.

Layout: `train/<image_id>.dicom` and `test/<image_id>.dicom`, or the same as `.png`, or all PNGs in `images/`;
`annotations/` with `image_labels_train.csv`, `image_labels_test.csv` (one column of 0 and 1 per finding, 22 that are
boxed and 5 diagnoses), `annotations_train.csv` and `annotations_test.csv` (one row per box). The columns are those
that public readers of these files use; the test file spells the last one `Other disease`. No patient is published.

Labels: each training image was read by three radiologists on their own, and a finding is present where at least
two of them mark it, so that what one reader alone sees or overlooks decides nothing. The test files hold the
consensus of five. Outlines: all boxes of all three readers, also of a finding that only one of them marks, so that
one finding may be boxed three times. They are in pixels of the DICOM files, and are left out with PNG files.

BenchX reads otherwise (`read_benchx_2024`): a training image has every finding that any reader boxed (the union),
the labels come from the boxes and not from the label files, there are 14 classes, and a class is present where its
name is contained in an annotated one, whatever the case. BenchX draws no boxes.

The Kaggle competition VinBigData is another release (one `train.csv` with `class_id`) and is refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchx.datasets.files import read_csv, read_numbers, refuse_blanks, refuse_duplicates, refuse_others
from benchx.datasets.folders import by_stem, find_images, is_phantom
from benchx.datasets.regions import Box, Region
from benchx.datasets.samples import Dataset, Samples
from benchx.errors import DatasetError

MASK_CLASSES = (
    "Aortic enlargement",
    "Atelectasis",
    "Calcification",
    "Cardiomegaly",
    "Clavicle fracture",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Enlarged PA",
    "ILD",
    "Infiltration",
    "Lung Opacity",
    "Lung cavity",
    "Lung cyst",
    "Mediastinal shift",
    "Nodule/Mass",
    "Pleural effusion",
    "Pleural thickening",
    "Pneumothorax",
    "Pulmonary fibrosis",
    "Rib fracture",
    "Other lesion",
)
"""The 22 findings that the readers boxed (local labels), in the order of the official columns."""

CLASSES = (*MASK_CLASSES, "COPD", "Lung tumor", "Pneumonia", "Tuberculosis", "Other diseases")
"""The label columns without `No finding`, which means none of them; the last five are diagnoses, and not boxed."""

BENCHX_SYNONYMS = {
    "Aortic enlargement": ("aortic enlargement",),
    "Atelectasis": ("atelectasis",),
    "Calcification": ("calcification",),
    "Cardiomegaly": ("cardiomegaly",),
    "Consolidation": ("consolidation",),
    "Effusion": ("effusion", "pleural effusion"),
    "ILD": ("ild",),
    "Infiltration": ("infiltration",),
    "Lesion": ("lesion",),
    "Lung Opacity": ("lung opacity",),
    "Nodule/Mass": ("nodule/mass",),
    "Pleural_Thickening": ("pleural_thickening", "pleural thickening"),
    "Pneumothorax": ("pneumothorax",),
    "Pulmonary Fibrosis": ("pulmonary fibrosis",),
}
"""BenchX's 14 classes, and the texts one of which an annotated name contains."""

READERS = 3
MAJORITY = 2

_NO_FINDING = "No finding"
_RESPELLED = {"Other disease": "Other diseases"}
_CORNERS = ["x_min", "y_min", "x_max", "y_max"]
_PARTS = ("train", "test")


def read(root: Path) -> Samples:
    """Read VinDr-CXR; training labels are the majority of three readers, test labels the published consensus.

    Raises:
        DatasetError: a file, column or image folder is missing; a label is not 0 or 1; an image is not read by
            three readers, stands twice or in both parts; a box does not fit its row; a file has two suffixes.
    """
    _refuse_kaggle_release(root)
    labels = {"train": _majority(root), "test": _consensus(root)}
    regions: dict[str, tuple[Region, ...]] = {}
    ids = {part: of_part.index for part, of_part in labels.items()}
    for part in _PARTS:
        regions |= _regions(_read_annotations(root, part), ids[part], _path(root, "annotations", part), root)
    values = np.concatenate([labels[part].to_numpy(np.float32) for part in _PARTS])
    return _samples(root, ids, values, CLASSES, regions, MASK_CLASSES)


def read_benchx_2024(root: Path) -> Samples:
    """Read VinDr-CXR as BenchX does: 14 classes, the union of the readers' annotated names, no outlines.

    Raises:
        DatasetError: as `read`, of the annotation files and the images.
    """
    _refuse_kaggle_release(root)
    names = (_NO_FINDING, *CLASSES)
    rule = np.array(
        [[any(text in name.lower() for text in texts) for texts in BENCHX_SYNONYMS.values()] for name in names],
        np.float32,
    )
    ids, parts = {}, []
    for part in _PARTS:
        rows = _read_annotations(root, part)
        images, ids[part] = pd.factorize(rows["image_id"])
        labels = np.zeros((len(ids[part]), len(BENCHX_SYNONYMS)), np.float32)
        np.maximum.at(labels, images, rule[pd.Index(names).get_indexer(pd.Index(rows["class_name"]))])
        parts.append(labels)
    return _samples(root, ids, np.concatenate(parts), tuple(BENCHX_SYNONYMS), {}, ())


def _path(root: Path, kind: str, part: str) -> Path:
    return root / "annotations" / f"{kind}_{part}.csv"


def _refuse_kaggle_release(root: Path) -> None:
    if (root / "train.csv").is_file() and not (root / "annotations").is_dir():
        raise DatasetError(
            f"{root} holds train.csv and no folder annotations",
            "this is the Kaggle release VinBigData, which lacks the test labels and the diagnoses",
            "use VinDr-CXR 1.0.0 of PhysioNet: train/, test/ and annotations/",
        )


def _read_labels(path: Path, keys: tuple[str, ...]) -> pd.DataFrame:
    """Read a label file: its key columns as strings, and the columns `CLASSES` as 0 and 1."""
    rows = read_csv(path, (*keys, *CLASSES[:-1])).rename(columns=_RESPELLED)
    if CLASSES[-1] not in rows:
        raise DatasetError(
            f"{path} has no column '{CLASSES[-1]}' or '{next(iter(_RESPELLED))}'",
            f"found: {', '.join(map(str, rows.columns))}",
            "use the file as published, with its original header",
        )
    refuse_blanks(rows, keys, path)
    for name in CLASSES:
        refuse_others(rows[name], ("0", "1", "0.0", "1.0"), path)
    return rows.astype(dict.fromkeys(CLASSES, float))


def _majority(root: Path) -> pd.DataFrame:
    """Return what at least two of three readers mark, indexed by image id, columns `CLASSES`."""
    path = _path(root, "image_labels", "train")
    rows = _read_labels(path, ("image_id", "rad_id"))
    twice = rows.index[rows.duplicated(["image_id", "rad_id"])]
    if len(twice):
        image, reader = rows.loc[twice[0], ["image_id", "rad_id"]]
        raise DatasetError(
            f"{path}, line {int(twice[0]) + 2}: reader {reader} stands twice for image '{image}'",
            "each reader has one vote",
            "use the file as published, or remove the surplus rows",
        )
    readings = rows.groupby("image_id")["rad_id"].transform("size")
    wrong = rows.index[readings != READERS]
    if len(wrong):
        raise DatasetError(
            f"{path}, line {int(wrong[0]) + 2}: image '{rows['image_id'][wrong[0]]}' has "
            f"{readings[wrong[0]]} readers, not {READERS}",
            "the label of a training image is what two of its three readers mark",
            "use the file as published",
        )
    return rows.groupby("image_id", sort=False)[list(CLASSES)].sum() >= MAJORITY


def _consensus(root: Path) -> pd.DataFrame:
    """Return the labels of the test images, indexed by image id, columns `CLASSES`."""
    path = _path(root, "image_labels", "test")
    rows = _read_labels(path, ("image_id",))
    refuse_duplicates(rows["image_id"], path)
    return rows.set_index("image_id")[list(CLASSES)]


def _read_annotations(root: Path, part: str) -> pd.DataFrame:
    """Read a file of boxes: strings `image_id` and `class_name`, and the corners in pixels, NaN without a box."""
    path = _path(root, "annotations", part)
    rows = read_csv(path, ("image_id", "class_name", *_CORNERS))
    refuse_blanks(rows, ("image_id",), path)
    rows["class_name"] = rows["class_name"].replace(_RESPELLED)
    refuse_others(rows["class_name"], (_NO_FINDING, *CLASSES), path)
    for corner in _CORNERS:
        rows[corner] = read_numbers(rows[corner], path)
    boxed = rows["class_name"].isin(MASK_CLASSES)
    given = rows[_CORNERS].notna()
    _refuse_rows(boxed & ~given.all(axis=1), path, rows, "a finding that is boxed lacks a corner of its box")
    _refuse_rows((rows["class_name"] == _NO_FINDING) & given.any(axis=1), path, rows, "it has a box")
    flat = (rows["x_max"] <= rows["x_min"]) | (rows["y_max"] <= rows["y_min"])
    _refuse_rows(flat, path, rows, "x_max must lie right of x_min and y_max below y_min")
    return rows


def _refuse_rows(wrong: pd.Series, path: Path, rows: pd.DataFrame, why: str) -> None:
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise DatasetError(
            f"{path}, line {row + 2}: '{rows['class_name'][row]}' of image '{rows['image_id'][row]}'",
            f"{why} ({int(wrong.sum())} rows)",
            "use the file as published",
        )


def _regions(rows: pd.DataFrame, known: pd.Index, path: Path, root: Path) -> dict[str, tuple[Region, ...]]:
    """Return the boxes of every annotated image, in the order of the rows."""
    _refuse_rows(~rows["image_id"].isin(known), path, rows, "the label file of this part does not hold the image")
    boxes: dict[str, list[Region]] = {image: [] for image in rows["image_id"].unique()}
    boxed = rows[rows["class_name"].isin(MASK_CLASSES)]
    corners = boxed[_CORNERS].to_numpy(float).tolist()
    file = path.relative_to(root).as_posix()
    lines = boxed.index.to_numpy() + 2
    for line, image, name, (left, top, right, bottom) in zip(
        lines, boxed["image_id"], boxed["class_name"], corners, strict=True
    ):
        boxes[image].append(Box(name, left, top, right - left, bottom - top, f"{file}, line {line}"))
    return {image: tuple(outlined) for image, outlined in boxes.items()}


def _samples(
    root: Path,
    ids: dict[str, pd.Index],
    labels: np.ndarray,
    classes: tuple[str, ...],
    regions: dict[str, tuple[Region, ...]],
    mask_classes: tuple[str, ...],
) -> Samples:
    shared = ids["train"].intersection(ids["test"])
    if len(shared):
        raise DatasetError(
            f"{root / 'annotations'}: {len(shared)} images stand in the train and the test files, first '{shared[0]}'",
            "an image cannot be trained on and tested on",
            "use the files as published",
        )
    found = by_stem(find_images(root, ("train", "test", "images"), (".dicom", ".png")))
    suffix = ".png" if any(path.endswith(".png") for path in found.values()) else ".dicom"
    names = pd.Series([name for part in _PARTS for name in ids[part]], dtype=object)
    official = np.repeat(_PARTS, [len(ids[part]) for part in _PARTS]).astype(object)
    table = pd.DataFrame({"sample": names, "official": official})
    folder = "images" if (root / "images").is_dir() else table["official"]
    expected = folder + "/" + names + suffix
    table["image"] = [found.get(name, path) for name, path in zip(names, expected, strict=True)]
    for column in ("patient", "study", "view", "sex", "age"):
        table[column] = None
    extra = len(found.keys() - set(names))
    notes: tuple[str, ...] = (f"{extra} image files stand in no label file and are not used",) if extra else ()
    if regions and suffix == ".png":
        regions = {}
        notes += ("the boxes are in pixels of the DICOM files and are not used with PNG files, which may be scaled",)
    missing = tuple(names[~names.isin(found.keys())])
    return Samples(
        "vindr",
        root,
        table,
        labels,
        classes,
        missing,
        is_phantom(root),
        notes,
        regions=regions,
        mask_classes=mask_classes,
    )


DATASET = Dataset(
    name="vindr",
    title="VinDr-CXR 1.0.0",
    licence="PhysioNet Credentialed Health Data License 1.5.0",
    source="physionet.org/content/vindr-cxr/1.0.0",
    citation="Nguyen et al., Scientific Data 2022",
    size="18 000 images",
    tasks=("classification", "few_shot", "segmentation", "zero_shot"),
    family="vindr",
    classes=CLASSES,
    read=read,
    access="credentialed",
    mask_classes=MASK_CLASSES,
    read_benchx_2024=read_benchx_2024,
)

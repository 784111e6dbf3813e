"""The contract every dataset fulfils: one table of samples, built without reading a pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from benchx.errors import DatasetError

COLUMNS = ("sample", "patient", "study", "view", "sex", "age", "image", "official")
"""Columns of `Samples.table`; all but `sample`, `image` and `official` may be null.

`sample` is the unique id, `image` the path relative to the root, `official` the published split
(`train`, `val`, `test`, or empty where the source publishes none; a published train+val list without
a validation part counts as `train`).
"""

Unit = Literal["patient", "study", "image"]


@dataclass(frozen=True)
class Samples:
    """A dataset as read from its official files.

    Attributes:
        dataset: the name under which the dataset is known.
        root: the folder that `table.image` is relative to.
        table: one row per image, columns `COLUMNS` in any order, index 0..N-1.
        labels: float32 [N, C], 1 = present, 0 = absent, NaN = unknown.
        classes: the C class names.
        missing: ids whose image file is not on disk.
        phantom: whether the files were written by the simulator and hold no patient.
        notes: what a reader should know of these files, one sentence each.
        publishes_split: whether the source publishes which images are for training and which for testing.
    """

    dataset: str
    root: Path
    table: pd.DataFrame
    labels: np.ndarray
    classes: tuple[str, ...]
    missing: tuple[str, ...] = ()
    phantom: bool = False
    notes: tuple[str, ...] = ()
    publishes_split: bool = True

    def __post_init__(self) -> None:
        if set(self.table.columns) != set(COLUMNS) or self.labels.shape != (len(self.table), len(self.classes)):
            raise ValueError(f"the table needs the columns {COLUMNS} and one row of labels per sample")

    @property
    def unit(self) -> Unit:
        """The unit that intervals resample: the patient, else the study, else the image."""
        if self.table["patient"].notna().all():
            return "patient"
        return "study" if self.table["study"].notna().all() else "image"

    @property
    def clusters(self) -> np.ndarray:
        """The unit's id for every row, as strings [N]."""
        column = {"patient": "patient", "study": "study", "image": "sample"}[self.unit]
        return self.table[column].astype(str).to_numpy()

    def sorted(self) -> Samples:
        """Return the same samples in the order of their ids, so that no number depends on the order of a file."""
        order = np.argsort(self.table["sample"].to_numpy(str), kind="stable")
        return replace(self, table=self.table.iloc[order].reset_index(drop=True), labels=self.labels[order])

    def class_labels(self, classes: tuple[str, ...]) -> np.ndarray:
        """Return the label columns of some classes, float32 [N, len(classes)], in that order."""
        return self.labels[:, [self.classes.index(name) for name in classes]]


@dataclass(frozen=True)
class Dataset:
    """What is known of a dataset before its files are there.

    Attributes:
        name: the folder name under a data root and the name on the command line.
        title, licence, source, citation, size: for people.
        tasks: the tasks it can serve.
        family: datasets of one family come from one source of images.
        classes: the class names of its classification task.
        read: builds `Samples` from the official files under a root.
    """

    name: str
    title: str
    licence: str
    source: str
    citation: str
    size: str
    tasks: tuple[str, ...]
    family: str
    classes: tuple[str, ...]
    read: Callable[[Path], Samples]


def read_csv(path: Path, required: tuple[str, ...]) -> pd.DataFrame:
    """Read an official CSV as strings (empty = null), checking that the columns are there.

    Byte-order marks and CRLF line ends are accepted.

    Raises:
        DatasetError: the file is missing, is not a table, or lacks a column (it names those found).
    """
    if not path.is_file():
        raise DatasetError(
            f"{path.name} is not in {path.parent}",
            "the dataset is read from its official files, as published",
            "point --root DATASET=DIR at the folder that holds this file",
        )
    try:
        table = pd.read_csv(path, dtype=str, encoding="utf-8-sig", keep_default_na=False, na_values=[""])
    except (ValueError, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise DatasetError(f"{path} cannot be read as a CSV", reason, "download the file again") from error
    if table.empty:
        raise DatasetError(f"{path} holds no rows", "only its header is there", "download the file again")
    lacking = [name for name in required if name not in table.columns]
    if lacking:
        raise DatasetError(
            f"{path} has no column {', '.join(repr(name) for name in lacking)}",
            f"found: {', '.join(map(str, table.columns))}",
            "use the file as published, with its original header",
        )
    return table


def refuse_blanks(table: pd.DataFrame, columns: tuple[str, ...], path: Path) -> None:
    """Raise a DatasetError when one of some columns is empty on a row."""
    for name in columns:
        blank = table.index[table[name].isna()]
        if len(blank):
            raise DatasetError(
                f"{path}, line {int(blank[0]) + 2}: '{name}' is empty",
                f"{len(blank)} rows have none, and it decides who is trained and tested on",
                "use the file as published",
            )


def refuse_duplicates(ids: pd.Series, path: Path) -> None:
    """Raise a DatasetError when an id stands on more than one row."""
    repeated = ids[ids.duplicated(keep=False)]
    if len(repeated):
        first = repeated.iloc[0]
        rows = [int(row) + 2 for row in repeated.index[repeated == first]]
        raise DatasetError(
            f"{path} lists {repeated.nunique()} image ids more than once, first '{first}'",
            f"it stands on lines {', '.join(map(str, rows))}; which labels hold is undecidable",
            "use the file as published, or remove the surplus rows",
        )


def read_list(path: Path) -> list[str]:
    """Read a split list: one id per line, blank lines skipped, CRLF and byte-order marks accepted."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not a text file", str(error), "download the file again") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def is_phantom(root: Path) -> bool:
    """Whether a dataset root was written by the phantom simulator."""
    return (root / "PHANTOM.json").is_file()

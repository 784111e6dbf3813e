"""What a dataset description holds."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from benchx.strict import Strict

Part = Literal["train", "val", "test"]

NAME = r"^[a-z0-9][a-z0-9-]*$"
"""What a dataset may be called: it becomes a folder and a part of results."""

SPLITS: dict[str, Part] = {"train": "train", "val": "val", "validation": "val", "test": "test"}
"""What parts are called where a description does not say."""


_OUTSIDE = re.compile(r"^/|(^|/)\.\.(/|$)")


def _inside(path: str) -> str:
    if not is_inside(path):
        raise ValueError("a path under the dataset's folder, with forward slashes, is wanted")
    return path


def is_inside(path: str) -> bool:
    """Whether a path is relative and does not climb out of its folder."""
    return bool(path) and not _OUTSIDE.search(path)


Inside = Annotated[str, AfterValidator(_inside)]


class Table(Strict):
    """A CSV and a folder of PNG, JPEG or DICOM files, both relative to the dataset's folder."""

    file: Inside
    images: Inside


class Columns(Strict):
    """The columns to read.

    Attributes:
        image: the image: a file name or path under the folder of images, or a column of Hugging Face images.
        label: one column with the classes of each image (see `Description.separator`).
        labels: instead, one column per class with 1, 0, -1 (uncertain) or nothing (unknown).
        sample: a unique id of each image.
        patient, study, view, sex, age, report: what is known of each image.
        split: the part that each image belongs to (see `Description.splits`).
    """

    image: str
    label: str | None = None
    labels: tuple[str, ...] = ()
    sample: str | None = None
    patient: str | None = None
    study: str | None = None
    view: str | None = None
    sex: str | None = None
    age: str | None = None
    split: str | None = None
    report: str | None = None

    @model_validator(mode="after")
    def _one_kind_of_label(self) -> Columns:
        if (self.label is None) == (not self.labels):
            raise ValueError("either 'label' (one column) or 'labels' (one column per class) is wanted")
        return self


class Description(Strict):
    """A dataset description.

    Attributes:
        name: on the command line and in results.
        title, licence, source, citation, size: for people.
        access: what it takes to get the files.
        tasks: the tasks it can serve.
        family: datasets of one family come from one source of images; null = a family of its own.
        table: where the files are, as a CSV with a folder of images;
        huggingface: or as one Parquet file, a folder of them, or a folder that `datasets` saved to disk.
        columns: which columns to read.
        classes: the classes, in the order of `columns.labels` where that is given.
        separator: what stands between the classes of one image in `columns.label`; null = one class per image.
        negative: words of `columns.label` that mean none of the classes.
        splits: names of parts (in `columns.split`, in names of Parquet files, in a saved DatasetDict) and what
            they mean.
    """

    name: str = Field(pattern=NAME)
    title: str
    licence: str
    source: str
    citation: str
    size: str
    access: Literal["open", "registration", "credentialed"] = "open"
    tasks: tuple[str, ...] = Field(min_length=1)
    family: str | None = None
    table: Table | None = None
    huggingface: Inside | None = None
    columns: Columns
    classes: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    separator: Annotated[str, Field(min_length=1)] | None = None
    negative: tuple[str, ...] | str = ()
    splits: dict[str, Part] = SPLITS

    @property
    def negatives(self) -> tuple[str, ...]:
        """The words of `negative`, which may be a single one."""
        return (self.negative,) if isinstance(self.negative, str) else self.negative

    @model_validator(mode="after")
    def _consistent(self) -> Description:
        if (self.table is None) == (self.huggingface is None):
            raise ValueError("either 'table' or 'huggingface' is wanted")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("a class stands there twice")
        if both := sorted(set(self.classes) & set(self.negatives)):
            raise ValueError(f"'{both[0]}' is both a class and a word for none of them")
        if self.columns.labels and len(self.columns.labels) != len(self.classes):
            raise ValueError(f"{len(self.columns.labels)} label columns for {len(self.classes)} classes")
        if self.columns.labels and (self.separator or self.negatives):
            raise ValueError("'separator' and 'negative' belong to 'columns.label', not to 'columns.labels'")
        return self

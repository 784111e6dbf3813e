"""The contract every dataset fulfils: one table of samples, built without reading a pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from benchx.datasets.regions import Region, draw

COLUMNS = ("sample", "patient", "study", "view", "sex", "age", "image", "official")
"""Columns of `Samples.table`; all but `sample`, `image` and `official` may be null.

`sample` is the unique id, `image` the path relative to the root, `official` the published split
(`train`, `val`, `test`, or empty where the source publishes none; a published train+val list without
a validation part counts as `train`). One row is one image: the images of one study share `study`.
"""

QUESTION_COLUMNS = ("question", "sample", "text", "answer", "closed", "kind", "official")
"""Columns of `Samples.questions`: the unique id of a question, the sample that it is about, its text and its answer as
the source writes them, whether its answer is one of few that the question names or implies (bool), what it asks about
(a word of the source, or null), and the published split of the question."""

Unit = Literal["patient", "study", "image"]
UNITS = {"patient": "patients", "study": "studies", "image": "images"}
"""The plural of each unit."""

Uncertain = Literal["unknown", "positive", "negative"]
"""What a label that its source calls uncertain counts as."""


@dataclass(frozen=True)
class Report:
    """The sections of a radiology report that are used; its text is never shown by printing it."""

    findings: str | None = field(default=None, repr=False)
    impression: str | None = field(default=None, repr=False)


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
        uncertain: bool [N, C], labels that the source calls uncertain (NaN in `labels`), where it does so.
        reports: the report of every sample that has one; images of one study share theirs.
        regions: what is outlined on every sample whose outlines are known; an empty tuple says that there is
            nothing, a sample without an entry was not outlined.
        mask_classes: the K names that `regions` use.
        questions: one row per question about an image, columns `QUESTION_COLUMNS`, index 0..Q-1; None where the dataset
            asks none. Their texts are never shown by printing the samples.
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
    uncertain: np.ndarray | None = None
    reports: Mapping[str, Report] = field(default_factory=dict, repr=False)
    regions: Mapping[str, tuple[Region, ...]] = field(default_factory=dict, repr=False)
    mask_classes: tuple[str, ...] = ()
    questions: pd.DataFrame | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        shape = (len(self.table), len(self.classes))
        if set(self.table.columns) != set(COLUMNS) or self.labels.shape != shape:
            raise ValueError(f"the table needs the columns {COLUMNS} and one row of labels per sample")
        if self.uncertain is not None and self.uncertain.shape != shape:
            raise ValueError("uncertain needs one value per label")
        if self.questions is not None and set(self.questions.columns) != set(QUESTION_COLUMNS):
            raise ValueError(f"questions need the columns {QUESTION_COLUMNS}")

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

    def take(self, rows: np.ndarray) -> Samples:
        """Return the samples of some rows (int [n]), in that order."""
        table = self.table.iloc[rows].reset_index(drop=True)
        uncertain = None if self.uncertain is None else self.uncertain[rows]
        questions = self.questions
        if questions is not None:
            questions = questions[questions["sample"].isin(set(table["sample"]))].reset_index(drop=True)
        return replace(self, table=table, labels=self.labels[rows], uncertain=uncertain, questions=questions)

    @property
    def cases(self) -> Samples:
        """What is split and tested: the images, or where there are questions, one row for each of these.

        The `sample` of such a row is the question's id and `image` the path of its image, by which it is grouped where
        neither patients nor studies are known. It has no labels.
        """
        if self.questions is None:
            return self
        images = self.table.set_index("sample").loc[self.questions["sample"]].reset_index(drop=True)
        table = images.assign(
            sample=self.questions["question"].to_numpy(), official=self.questions["official"].to_numpy()
        )
        return Questions(
            self.dataset,
            self.root,
            table,
            np.zeros((len(table), 0), np.float32),
            (),
            phantom=self.phantom,
            notes=self.notes,
            publishes_split=self.publishes_split,
        )

    def sorted(self) -> Samples:
        """Return the same samples in the order of their ids, so that no number depends on the order of a file."""
        taken = self.take(np.argsort(self.table["sample"].to_numpy(str), kind="stable"))
        if taken.questions is None:
            return taken
        order = np.argsort(taken.questions["question"].to_numpy(str), kind="stable")
        return replace(taken, questions=taken.questions.iloc[order].reset_index(drop=True))

    def class_labels(self, classes: tuple[str, ...]) -> np.ndarray:
        """Return the label columns of some classes, float32 [N, len(classes)], in that order."""
        return self.labels[:, [self.classes.index(name) for name in classes]]

    def count_uncertain_as(self, policy: Uncertain) -> Samples:
        """Return the samples with uncertain labels as unknown (NaN), 1 or 0 (U-Ignore, U-Ones, U-Zeros of
        Irvin et al., CheXpert, AAAI 2019)."""
        if self.uncertain is None or policy == "unknown":
            return self
        value = np.float32(policy == "positive")
        return replace(self, labels=np.where(self.uncertain, value, self.labels))

    def masks(self, sample: str, height: int, width: int) -> np.ndarray:
        """Draw what is outlined on a sample.

        Args:
            height, width: of the sample's original image, pixels.

        Returns:
            uint8 [K, height, width] of 0 and 1, one layer per name of `mask_classes`.

        Raises:
            KeyError: the sample's outlines are not known.
            DatasetError: an outline does not fit the image.
        """
        return draw(self.regions[sample], self.mask_classes, height, width, self.root)


class Questions(Samples):
    """Samples whose rows are questions: several may be about one image."""

    @property
    def clusters(self) -> np.ndarray:
        """The unit's id for every row, as strings [N]; of unit `image` the image's path."""
        return self.table["image"].astype(str).to_numpy() if self.unit == "image" else super().clusters


@dataclass(frozen=True)
class Overlap:
    """Images that a dataset shares with another one.

    Attributes:
        dataset: the other one.
        what: which images, in a few words.
        source: who says so.
    """

    dataset: str
    what: str
    source: str


@dataclass(frozen=True)
class Dataset:
    """What is known of a dataset before its files are there.

    Attributes:
        name: the folder name under a data root and the name on the command line.
        title, licence, source, citation, size: for people.
        access: what it takes to get the files: `open`, `registration` or `credentialed`.
        tasks: the tasks it can serve.
        family: datasets of one family come from one source of images.
        classes: the class names of its classification task.
        read: builds `Samples` from the official files under a root.
        mask_classes: the names of what is outlined in it.
        overlaps: known shared images with other datasets.
        read_benchx_2024: the same as BenchX reads it, faults included, where that differs from `read`.
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
    access: Literal["open", "registration", "credentialed"] = "open"
    mask_classes: tuple[str, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    read_benchx_2024: Callable[[Path], Samples] | None = None

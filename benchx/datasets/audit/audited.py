"""A dataset opened for an audit: its samples, its split and its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchx.datasets.samples import Samples
from benchx.datasets.splits import Fold
from benchx.images.store import PixelStore

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Audited:
    """One dataset.

    Attributes:
        folds: its split; empty where there is none to judge.
        pixels: holds some or all of the samples; the others are counted and not looked at.
    """

    samples: Samples
    folds: tuple[Fold, ...]
    pixels: PixelStore

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.samples.dataset

    @cached_property
    def ids(self) -> np.ndarray:
        """The sample ids, str [N]."""
        return self.samples.table["sample"].to_numpy(str)

    @cached_property
    def part_codes(self) -> np.ndarray:
        """The part of every sample in every fold, int8 [F, N]: 0 train, 1 val, 2 test, -1 none."""
        codes = np.full((len(self.folds), len(self.ids)), -1, np.int8)
        for row, fold in zip(codes, self.folds, strict=True):
            for code, part in enumerate(PARTS):
                row[getattr(fold, part)] = code
        return codes

    @cached_property
    def part_names(self) -> np.ndarray:
        """The part of every sample, str [N]; `folds` where it changes from fold to fold, `unused` where it has none."""
        if not self.folds:
            return np.full(len(self.ids), "unused", "U6")
        first = self.part_codes[0]
        steady = (self.part_codes == first).all(axis=0)
        return np.where(steady, np.array([*PARTS, "unused"])[first], "folds")

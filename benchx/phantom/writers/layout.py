"""What a writer of an official layout is: how a patient's images are written, and the tables at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchx.phantom.patients import Patient
from benchx.phantom.render import Radiograph, render


class Views:
    """The images of a patient, each rendered when first asked for and kept for the next layout.

    Attributes:
        patient: whose images.
        size: pixels along each side.
    """

    def __init__(self, patient: Patient, size: int) -> None:
        self.patient = patient
        self.size = size
        self._rendered: dict[int, Radiograph] = {}

    def __getitem__(self, number: int) -> Radiograph:
        """Return image `number` of `patient.images`."""
        if number not in self._rendered:
            self._rendered[number] = render(self.patient, number, self.size)
        return self._rendered[number]


@dataclass(frozen=True)
class Layout:
    """An official layout of a dataset.

    Attributes:
        dataset: the name of the dataset whose reader takes it.
        write_patient: writes one patient's images under the root and returns what the tables need of them;
            called from several threads, for every patient from 1 to n.
        write_tables: writes everything that spans patients, from the rows of all in the order of the patients.
    """

    dataset: str
    write_patient: Callable[[Path, Views], list[Any]]
    write_tables: Callable[[Path, Sequence[Any]], None]

"""The verifier's own copies of the datasets of a bundle, read as its cells read them."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchx.errors import DataMissing, DatasetError
from benchx.planning import Cell, Reading
from benchx.publishing.opening import Opened
from benchx.publishing.truth import Truth, read_truth
from benchx.publishing.verdict import Finding
from benchx.workspace import Workspace


@dataclass
class OwnData:
    """The truths of a bundle, each read once.

    Attributes:
        workspace: says where one's own data lies.
        notes: why there is no truth, or no split, of a dataset.
    """

    opened: Opened
    workspace: Workspace
    notes: list[Finding] = field(default_factory=list)
    _truths: dict[Reading, Truth | None] = field(default_factory=dict)

    def truth(self, cell: Cell) -> Truth | None:
        """Return one's own copy of a cell's dataset; None, and a note, where there is none to compare with."""
        reading = cell.reading
        if reading not in self._truths:
            found = self._read(cell)
            if isinstance(found, str):
                self._note(cell, f"split and labels not checked: {found}")
            elif found.note:
                self._note(cell, f"split not checked: {found.note}")
            self._truths[reading] = None if isinstance(found, str) else found
        return self._truths[reading]

    def _read(self, cell: Cell) -> Truth | str:
        """Return the truth, or why there is none."""
        manifest = self.opened.manifest
        if self.opened.suite.datasets[cell.dataset].file is not None:
            return "a dataset of the author's own"
        try:
            salt = manifest.salt if cell.dataset in manifest.pseudonymous else None
            truth = read_truth(cell.reading, self.workspace, salt)
        except DataMissing:
            return "no data root, or it has no folder of this name"
        except DatasetError as error:
            return f"{error.what} ({error.why})"
        if truth.samples.phantom != (manifest.data == "phantom"):
            return "of your files and those of the bundle one is simulated, the other real"
        return truth

    def _note(self, cell: Cell, what: str) -> None:
        self.notes.append(Finding("note", "truth", cell.dataset, what))

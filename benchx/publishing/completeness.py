"""Is every cell of the suite there, with scores or with a reason that holds?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchx.datasets.samples import Samples
from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.planning import Cell, is_meant
from benchx.protocols import other_methods, read_protocol
from benchx.publishing.manifest import MANIFEST
from benchx.publishing.opening import Opened
from benchx.publishing.truth import Truth
from benchx.publishing.verdict import Finding, Severity, counted
from benchx.tasks.classification import problem as classification
from benchx.tasks.few_shot import problem as few_shot

_POSED: Mapping[str, Callable[[Cell, Samples, Sequence[Fold]], object]] = {
    "classification": classification.pose,
    "few_shot": few_shot.pose,
}
"""What poses a task anew on one's own files, and raises where it does not apply to them."""


def missing_cells(opened: Opened) -> list[Finding]:
    """Compare the plan with what is there, and with what the manifest admits.

    A bundle with cells missing is not sound: results left out are results chosen. Whoever takes it all the same sees
    here which they are. Cells that the suite does not mean for the method need not be there.
    """
    present = {record.cell_digest for record in opened.records.values()}
    admitted = {missing.cell: missing.state for missing in opened.manifest.missing}
    found = [
        Finding("error", "missing cells", cell.label, f"not in the bundle ({admitted.get(digest, 'not admitted')})")
        for digest, cell in opened.planned.items()
        if digest not in present and is_meant(cell, opened.suite)
    ]
    wrong = sorted(set(admitted) & present | set(admitted) - set(opened.planned))
    if wrong:
        what = f"listed as missing, though there or not in the suite: {counted(len(wrong), 'cell')}"
        found.append(Finding("error", "missing cells", MANIFEST, what))
    return found


def inapplicable(
    cell: Cell, done: Iterable[Cell], truth: Truth | None, cards: Iterable[Mapping[str, Any]]
) -> tuple[Severity, str]:
    """Judge a cell that is said not to be applicable, so that no bad result can be left out under that name.

    One's own files decide: the cell is posed anew on them. Without them, a cell of the same dataset, task and protocol
    that is done with the same labels, or with fewer, speaks against it: label fractions are nested. A method that
    reads no text by any of its cards cannot retrieve, nor be asked for classes, nor answer questions unless another
    method reads them. Of tasks other than `_POSED` one's own files cannot tell.

    Args:
        done: the cells of the bundle that have scores.
        truth: one's own copy of the dataset.
        cards: of the method, of all records of the bundle.
    """
    helped = other_methods(read_protocol(cell.settings["protocol"]), sees=True, fuses=False)
    if cell.reads_text and not helped and all(card.get("text") is None for card in cards):
        return "note", "the method reads no text, by its card"
    posed = _posed(cell, truth)
    if posed == "":
        return "error", "said not to be applicable, though a class can be trained and scored on your files"
    if posed is not None:
        return "note", f"on your files too: {posed}"
    same = [one for one in done if one.column[:3] == cell.column[:3] and one.fraction <= cell.fraction]
    if same:
        against = max(same, key=lambda one: one.fraction)
        return "error", f"said not to be applicable, though there is a result of {against.label}; see --data-root"
    how = "your own copy of the data can tell, see --data-root"
    if cell.task not in _POSED:
        how = "running it can tell"
    return "warning", f"said not to be applicable: only {how}"


def _posed(cell: Cell, truth: Truth | None) -> str | None:
    """Return why a cell does not apply to one's own files, "" where it does, None where they cannot tell."""
    if truth is None or not truth.folds or cell.task not in _POSED or cell.settings["protocol"]["kind"] == "paired":
        return None
    if not set(cell.settings["classes"]) <= set(truth.samples.classes):
        return None
    try:
        _POSED[cell.task](cell, truth.samples, truth.folds)
    except NotApplicable as why:
        return why.what
    return ""

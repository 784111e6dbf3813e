"""Verify a bundle: is it whole and untouched, and does every score follow from its predictions?

What cannot be found: a bundle whose author invented predictions and computed everything else from them. It is sound
in itself. Truth is joined only where the verifier has the data (`data_root`), and that a method gives such
predictions shows only when someone runs it again. The id of a bundle pins its content; publish it beside the bundle.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from benchx.datasets.benchx_lists import SPLITS_FOLDER
from benchx.errors import DataMissing, DatasetError, UsageError
from benchx.planning import Cell, Reading
from benchx.publishing.copies import copied_from, shared_between_draws
from benchx.publishing.duplicates import Scores, scores_of
from benchx.publishing.opening import Opened, missing_cells, open_bundle
from benchx.publishing.records import identity_problems, value_problems
from benchx.publishing.rescoring import SCORERS, attested_problems, score_problems, table_problems
from benchx.publishing.tables import read_table
from benchx.publishing.truth import Truth, compare, read_truth
from benchx.publishing.verdict import CellState, CellVerdict, Finding, Severity, Verdict, in_order
from benchx.resources import data_folder, environment_folder
from benchx.results.record import Record
from benchx.results.store import Store
from benchx.workspace import Workspace


@dataclass
class _Verification:
    """A verification under way: the bundle, where one's own data lies, and what was found so far."""

    opened: Opened
    workspace: Workspace
    findings: list[Finding] = field(default_factory=list)
    scores: dict[str, Scores] = field(default_factory=dict)
    cases: dict[Reading, tuple[str, pd.DataFrame]] = field(default_factory=dict)
    truths: dict[Reading, Truth | None] = field(default_factory=dict)


def verify(
    bundle: Path,
    *,
    data_root: Path | None = None,
    against: Sequence[Path] = (),
) -> Verdict:
    """Check a bundle in every way that its content and one's own data allow; all faults are listed.

    Args:
        data_root: folder with one folder per dataset (default: BENCHX_DATA); the split, test cases, clusters and
            labels of the datasets that are there are compared with it. Images are not opened.
        against: bundles or stores of other methods, to look for predictions that were copied.

    Raises:
        UsageError: a path does not exist, or one of `against` is neither a bundle nor a store.
    """
    for path in against:
        if not path.exists():
            raise UsageError(f"there is no {path}", "nothing to compare with", "name a bundle or a store")
    opened = open_bundle(bundle)
    if not isinstance(opened, Opened):
        return Verdict(None, None, None, (), in_order(opened))
    workspace = Workspace(
        Store(bundle.parent),
        data_root=data_folder(data_root),
        splits_root=environment_folder("BENCHX_SPLITS") or SPLITS_FOLDER,
        skip_unreadable=True,
    )
    run = _Verification(opened, workspace, list(opened.findings))
    cells = tuple(_cell(run, key, record) for key, record in opened.records.items())
    run.findings += missing_cells(opened)
    run.findings += _one_version(opened)
    own = [(opened.planned[opened.records[key].cell_digest], scores) for key, scores in run.scores.items()]
    run.findings += shared_between_draws(own)
    for path in against:
        run.findings += copied_from(path, own, opened.manifest.method)
    for key in sorted(set(opened.tables) - set(opened.records)):
        run.findings.append(Finding("error", "record", key[:12], "predictions without a record"))
    manifest = opened.manifest
    suite = f"{manifest.suite_name} version {manifest.suite_version}"
    return Verdict(manifest.id, suite, manifest.method, cells, in_order(run.findings))


def _cell(run: _Verification, key: str, record: Record) -> CellVerdict:
    opened = run.opened
    cell = opened.planned.get(record.cell_digest)
    where = cell.label if cell else key[:12]
    before = len(run.findings)

    def say(check: str, problems: Sequence[str], severity: Severity = "error") -> None:
        run.findings.extend(Finding(severity, check, where, problem) for problem in problems)

    say("key", identity_problems(record, key, cell, opened.manifest.method, opened.manifest.data))
    say("values", value_problems(record, key in opened.tables))
    state: CellState = "not-applicable"
    if cell and record.scores is not None and key in opened.tables:
        state = "attested"
        hidden = cell.dataset in opened.manifest.pseudonymous
        try:
            table = read_table(opened.tables[key], cell.settings["classes"], labelled=not hidden)
        except ValueError as error:
            say("predictions", [str(error)])
        else:
            problems = table_problems(table, cell)
            say("values", problems)
            if not problems:
                run.scores[key] = scores_of(table, pseudonymous=hidden)
                say("test cases", _other_cases(run, cell, where, table))
                truth = _truth(run, cell)
                differences, labelled = compare(table, cell, record.provenance, truth) if truth else ([], table)
                say("truth", differences)
                if cell.task in SCORERS and all(f"label:{name}" in labelled for name in cell.settings["classes"]):
                    wrong, lacking = score_problems(record.scores, labelled, cell)
                    say("scores", wrong)
                    say("scores", lacking, "warning")
                    state = "re-scored"
                say("scores", attested_problems(record.scores, table, cell))
    if any(finding.severity == "error" for finding in run.findings[before:]):
        state = "unsound"
    score = (record.scores or {}).get(cell.primary) if cell else None
    shown = score if isinstance(score, float) and math.isfinite(score) else None
    return CellVerdict(key, where, shown, state)


def _other_cases(run: _Verification, cell: Cell, where: str, table: pd.DataFrame) -> list[str]:
    """Compare the test cases with those of the first cell that reads the dataset in the same way."""
    classes = [f"label:{name}" for name in cell.settings["classes"] if f"label:{name}" in table]
    cases = table[["sample", "cluster", "fold", *classes]].sort_values("sample", ignore_index=True)
    first, reference = run.cases.setdefault(cell.reading, (where, cases))
    shared = [name for name in reference.columns if name in cases.columns]
    return [] if reference[shared].equals(cases[shared]) else [f"its test cases are not those of {first}"]


def _truth(run: _Verification, cell: Cell) -> Truth | None:
    """Return one's own copy of a cell's dataset; None, and a note, where there is none to compare with."""
    reading, manifest = cell.reading, run.opened.manifest
    if reading in run.truths:
        return run.truths[reading]

    def note(what: str) -> None:
        run.findings.append(Finding("note", "truth", cell.dataset, f"split and labels not checked: {what}"))

    run.truths[reading] = None
    if run.opened.suite.datasets[cell.dataset].file is not None:
        note("a dataset of the author's own")
        return None
    salt = manifest.salt if cell.dataset in manifest.pseudonymous else None
    try:
        truth = read_truth(reading, run.workspace, salt)
    except DataMissing:
        note("no data root, or it has no folder of this name")
        return None
    except DatasetError as error:
        note(f"{error.what} ({error.why})")
        return None
    if truth.samples.phantom != (manifest.data == "phantom"):
        note("of your files and those of the bundle one is simulated, the other real")
        return None
    if truth.note:
        run.findings.append(Finding("note", "truth", cell.dataset, f"split not checked: {truth.note}"))
    run.truths[reading] = truth
    return truth


def _one_version(opened: Opened) -> list[Finding]:
    """Check that the cells of a dataset agree on its data and split, and no cell is there twice."""
    versions: dict[str, set[tuple[str | None, ...]]] = defaultdict(set)
    counts: dict[str, int] = defaultdict(int)
    for record in opened.records.values():
        counts[record.cell_digest] += 1
        if cell := opened.planned.get(record.cell_digest):
            provenance = record.provenance
            version = (provenance.images, provenance.split, provenance.unit, str(provenance.unreadable))
            versions[f"{cell.dataset}, split {cell.split}"].add(version)
    found = [
        Finding("error", "split", name, f"its cells are on {len(one)} versions of data or split")
        for name, one in versions.items()
        if len(one) > 1
    ]
    return found + [
        Finding("error", "record", opened.planned[digest].label, f"{count} results of one cell")
        for digest, count in counts.items()
        if count > 1 and digest in opened.planned
    ]

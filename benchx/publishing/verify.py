"""Verify a bundle: is it whole and untouched, and does every score follow from its predictions?

What cannot be found: a bundle whose author invented predictions and computed everything else from them. It is sound
in itself. Truth is joined only where the verifier has the data (`data_root`), and that a method gives such
predictions shows only when someone runs it again. The id of a bundle pins its content; publish it beside the bundle.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from benchx.datasets.benchx_lists import SPLITS_FOLDER
from benchx.errors import UsageError
from benchx.planning import Cell
from benchx.publishing.agreement import disagreements
from benchx.publishing.cases import LABELLED, same_cases
from benchx.publishing.columns import classes_of, columns_of
from benchx.publishing.completeness import inapplicable, missing_cells
from benchx.publishing.copies import copied_from, shared_between_draws
from benchx.publishing.details import details_problems
from benchx.publishing.duplicates import Scores, scores_of
from benchx.publishing.opening import Opened, open_bundle
from benchx.publishing.own_data import OwnData
from benchx.publishing.pseudonyms import with_known_labels
from benchx.publishing.records import has_unknown_key, identity_problems, value_problems
from benchx.publishing.rescoring import attested_problems, score_problems, table_problems
from benchx.publishing.table_reader import TableReader
from benchx.publishing.trials import trial_problems
from benchx.publishing.truth import compare
from benchx.publishing.verdict import CellState, CellVerdict, Finding, Severity, Verdict, in_order
from benchx.resources import data_folder, environment_folder
from benchx.results.record import Record
from benchx.results.store import Store
from benchx.suites import Suite
from benchx.workspace import Workspace

TAKEN = {
    "segmentation": "pixels and lesions are taken as they were counted: no mask is in a bundle",
    "retrieval": "ranks are taken as they were found: no embedding is in a bundle",
    "few_shot": "placements are taken as they were found: no score of a draw is in a bundle",
    "vqa": "answers are taken as they were judged: none is in a bundle",
    "report_generation": "words are taken as they were counted: no text is compared again",
}
"""What is not computed again of a task's test cases."""


@dataclass
class _Verification:
    """A verification under way: the bundle, one's own data, what reads tables, and what was found so far."""

    opened: Opened
    own: OwnData
    reader: TableReader
    findings: list[Finding]
    scores: dict[str, Scores] = field(default_factory=dict)
    cases: dict[Hashable, tuple[str, pd.DataFrame]] = field(default_factory=dict)

    def say(self, severity: Severity, check: str, where: str, problems: Sequence[str]) -> None:
        self.findings += [Finding(severity, check, where, problem) for problem in problems]


def verify(
    bundle: Path,
    *,
    data_root: Path | None = None,
    against: Sequence[Path] = (),
    suite: Suite | None = None,
) -> Verdict:
    """Check a bundle in every way that its content and one's own data allow; all faults are listed.

    Tables are read in another process, which is started for that (see `TableReader`).

    Args:
        data_root: folder with one folder per dataset (default: BENCHX_DATA); the split, test cases, clusters and
            labels of the datasets that are there are compared with it. Images are not opened.
        against: bundles or stores of other methods, to look for predictions that were copied.
        suite: the one that the bundle must be of; None = the shipped one of the name that it says.

    Raises:
        UsageError: a path does not exist or is no bundle's, or one of `against` is neither a bundle nor a store.
    """
    for path in against:
        if not path.exists():
            raise UsageError(f"there is no {path}", "nothing to compare with", "name a bundle or a store")
    opened = open_bundle(bundle, suite)
    if not isinstance(opened, Opened):
        return Verdict(None, None, None, (), in_order(opened))
    workspace = Workspace(
        Store(bundle.parent),
        data_root=data_folder(data_root),
        splits_root=environment_folder("BENCHX_SPLITS") or SPLITS_FOLDER,
        skip_unreadable=True,
    )
    manifest = opened.manifest
    with TableReader() as reader:
        run = _Verification(opened, OwnData(opened, workspace), reader, list(opened.findings))
        cells = tuple(_cell(run, key, record) for key, record in opened.records.items())
        own = [(opened.planned[opened.records[key].cell_digest], scores) for key, scores in run.scores.items()]
        for path in against:
            run.findings += copied_from(path, own, manifest.method, reader)
    run.findings += [*missing_cells(opened), *disagreements(opened), *shared_between_draws(own), *run.own.notes]
    for key in sorted((set(opened.tables) | set(opened.trials)) - set(opened.records)):
        run.say("error", "record", key[:12], ["predictions or trials without a record"])
    of_suite = f"{manifest.suite_name} version {manifest.suite_version}"
    return Verdict(manifest.id, of_suite, manifest.method, cells, in_order(run.findings))


def _cell(run: _Verification, key: str, record: Record) -> CellVerdict:
    opened = run.opened
    cell = opened.planned.get(record.cell_digest)
    where = cell.label if cell else key[:12]
    before = len(run.findings)
    identity = identity_problems(record, key, cell, opened.manifest.method, opened.manifest.data)
    run.say("error", "key", where, identity)
    if cell and has_unknown_key(record, cell):
        run.say(
            "note", "key", where, ["its key was not computed: no digest of all weights that it reads is in the record"]
        )
    run.say("error", "values", where, value_problems(record, key in opened.tables))
    state: CellState = "not-applicable"
    attested: tuple[str, ...] = ()
    if cell and record.state == "not-applicable":
        cards = [one.card for one in opened.records.values()]
        severity, what = inapplicable(cell, _done(opened), run.own.truth(cell), cards)
        run.say(severity, "not applicable", where, [what])
    elif cell and record.scores is not None and key in opened.tables:
        state, attested = _predictions(run, key, record, cell)
    if key in opened.trials and key not in opened.tables:
        run.say("error", "trials", where, ["trials without predictions"])
    if any(finding.severity == "error" for finding in run.findings[before:]):
        state = "unsound"
    score = (record.scores or {}).get(cell.primary) if cell else None
    known = score if isinstance(score, float) and math.isfinite(score) else None
    return CellVerdict(key, where, known, state, attested)


def _predictions(run: _Verification, key: str, record: Record, cell: Cell) -> tuple[CellState, tuple[str, ...]]:
    """Check the predictions of a cell and the scores of its record; name the scores that could not be computed."""
    where, scores = cell.label, record.scores or {}
    hidden = cell.dataset in run.opened.manifest.pseudonymous
    try:
        table = run.reader.read(run.opened.tables[key], columns_of(cell), labelled=not hidden)
    except ValueError as error:
        run.say("error", "predictions", where, [str(error)])
        return "unsound", tuple(sorted(scores))
    if hidden:
        table = with_known_labels(table, cell)
    problems = table_problems(table, cell)
    run.say("error", "values", where, problems)
    if problems:
        return "unsound", tuple(sorted(scores))
    run.scores[key] = scores_of(table, pseudonymous=hidden)
    run.say("error", "test cases", where, _other_cases(run, cell, table))
    labelled = table
    if truth := run.own.truth(cell):
        comparison = compare(table, cell, record.provenance, truth)
        run.say("error", "truth", where, comparison.differences)
        run.say("warning", "unreadable", cell.dataset, comparison.left_out)
        labelled = comparison.labelled
    if cell.task in TAKEN:
        run.say("note", "cases", cell.dataset, [TAKEN[cell.task]])
    details = details_problems(record.details, table, cell)
    run.say("error", "details", where, details)
    if not details:
        run.say("error", "trials", where, trial_problems(run.opened.trials.get(key), record.details, cell))
    run.say("error", "scores", where, attested_problems(scores, table, cell))
    if not set(columns_of(cell).needed) <= set(labelled.columns):
        return "attested", tuple(sorted(scores))
    found = score_problems(scores, labelled, cell, hidden=hidden)
    run.say("error", "scores", where, found.wrong)
    run.say("warning", "scores", where, found.lacking)
    if found.attested:
        what = f"not computed here, since what they need is not in the bundle: {', '.join(found.attested)}"
        run.say("note", "scores", where, [what])
    return "attested" if cell.primary in found.attested else "re-scored", found.attested


def _done(opened: Opened) -> list[Cell]:
    return [
        opened.planned[record.cell_digest]
        for record in opened.records.values()
        if record.state == "done" and record.cell_digest in opened.planned
    ]


def _other_cases(run: _Verification, cell: Cell, table: pd.DataFrame) -> list[str]:
    """Compare the test cases with those of the first cell that must have the same."""
    labels = [f"label:{name}" for name in classes_of(cell)] if cell.task in LABELLED else []
    classes = [name for name in labels if name in table]
    cases = table[["sample", "cluster", "fold", *classes]].sort_values("sample", ignore_index=True)
    first, reference = run.cases.setdefault(same_cases(cell), (cell.label, cases))
    common = [name for name in reference.columns if name in cases.columns]
    return [] if reference[common].equals(cases[common]) else [f"its test cases are not those of {first}"]

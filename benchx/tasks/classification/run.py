"""Run a classification cell: pose it, apply its protocol, predict and score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchx.extraction import cell_features
from benchx.planning import Cell
from benchx.protocols import Finetune, Frozen, Neighbours, Paired, read_protocol
from benchx.tasks.classification.finetuned import finetuned_fit
from benchx.tasks.classification.frozen import frozen_fit
from benchx.tasks.classification.neighbours import neighbours_fit
from benchx.tasks.classification.paired import paired_features, with_text
from benchx.tasks.classification.problem import pose
from benchx.tasks.classification.problem import run as solve
from benchx.tasks.predictions import Outcome
from benchx.workspace import Workspace, cell_input


def run(cell: Cell, workspace: Workspace, work: Path) -> Outcome:
    """Fit and predict a cell.

    Args:
        work: folder of the states that a killed cell continues from.

    Raises:
        NotApplicable: see `benchx.tasks.classification.problem.pose`; of the paired protocol also where there are no
            texts, or the method reads none.
    """
    protocol = read_protocol(cell.settings["protocol"])
    if isinstance(protocol, Paired):
        return _run_paired(cell, protocol, workspace)
    problem = pose(cell, workspace.dataset(cell.reading).samples, workspace.folds(cell.reading).folds)
    stage = workspace.progress.stage
    if isinstance(protocol, Frozen):
        fit = frozen_fit(cell_features(cell, protocol, workspace).matrix, protocol, workspace.device)
        return solve(problem, fit, stage(f"{cell.label}: heads"))
    if isinstance(protocol, Neighbours):
        fit = neighbours_fit(cell_features(cell, protocol, workspace).matrix, protocol, workspace.device)
        return solve(problem, fit, stage(f"{cell.label}: folds"))
    assert isinstance(protocol, Finetune)
    spec = cell_input(cell, protocol.input, workspace)
    fit = finetuned_fit(
        lambda: workspace.load_encoder(cell.method, spec.size),
        workspace.dataset(cell.reading).pixels,
        spec,
        protocol,
        device=workspace.device,
        work=work,
        advance=lambda fold: stage(f"{cell.label}: fold {fold}, epochs"),
    )
    return solve(problem, fit, stage(f"{cell.label}: folds"))


def _run_paired(cell: Cell, protocol: Paired, workspace: Workspace) -> Outcome:
    samples, whole = workspace.dataset(cell.reading).samples, workspace.folds(cell.reading).folds
    texts, folds = with_text(samples, whole, protocol.text)
    problem = pose(cell, samples, folds)
    features, said = paired_features(cell, protocol, workspace, texts, folds)
    fit = frozen_fit(features, protocol, workspace.device)
    outcome = solve(problem, fit, workspace.progress.stage(f"{cell.label}: heads"))
    left_out = {
        part: sum(len(getattr(one, part)) for one in whole) - sum(len(getattr(one, part)) for one in folds)
        for part in ("train", "val", "test")
    }
    return replace(outcome, details=outcome.details | {"pairs": said, "without_text": left_out})

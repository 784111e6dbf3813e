"""Run a classification cell: pose it, apply its protocol, predict and score."""

from __future__ import annotations

from pathlib import Path

from benchx.extraction import cell_features
from benchx.planning import Cell
from benchx.protocols import Finetune, Frozen, read_protocol
from benchx.tasks.classification.finetuned import finetuned_fit
from benchx.tasks.classification.frozen import frozen_fit
from benchx.tasks.classification.problem import pose
from benchx.tasks.classification.problem import run as solve
from benchx.tasks.predictions import Outcome
from benchx.workspace import Workspace, cell_input


def run(cell: Cell, workspace: Workspace, work: Path) -> Outcome:
    """Fit and predict a cell.

    Args:
        work: folder of the states that a killed cell continues from.

    Raises:
        NotApplicable: see `benchx.tasks.classification.problem.pose`.
    """
    problem = pose(cell, workspace.dataset(cell.reading).samples, workspace.folds(cell.reading).folds)
    protocol = read_protocol(cell.settings["protocol"])
    stage = workspace.progress.stage
    if isinstance(protocol, Frozen):
        fit = frozen_fit(cell_features(cell, protocol, workspace).matrix, protocol, workspace.device)
        return solve(problem, fit, stage(f"{cell.label}: heads"))
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

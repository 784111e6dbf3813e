"""Run a segmentation cell: draw the outlines, pose it, train a decoder per fold, and score its test images."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from benchx.planning import Cell
from benchx.protocols import Segment, read_protocol
from benchx.tasks.folds import describe
from benchx.tasks.predictions import Outcome
from benchx.tasks.segmentation.area import DISTANCE_UNIT
from benchx.tasks.segmentation.fitting import Setting, fit
from benchx.tasks.segmentation.maps import Source, open_source
from benchx.tasks.segmentation.problem import pose
from benchx.tasks.segmentation.scores import score
from benchx.tasks.segmentation.truth import draw_truth
from benchx.tasks.subgroups import group_columns
from benchx.workspace import Workspace, cell_input


def run(cell: Cell, workspace: Workspace, work: Path) -> Outcome:
    """Fit and predict a cell. Masks are compared at the side of the encoder's input, where it shows the image.

    Args:
        work: folder of the states that a killed cell continues from.

    Raises:
        NotApplicable: see `benchx.tasks.segmentation.problem.pose`; or the method has no maps.
        DatasetError: an outline does not fit its image, or a mask file cannot be read.
    """
    protocol = read_protocol(cell.settings["protocol"])
    assert isinstance(protocol, Segment)
    dataset, stage = workspace.dataset(cell.reading), workspace.progress.stage
    spec = cell_input(cell, protocol.input, workspace)
    truth = draw_truth(
        dataset,
        cell.settings["classes"],
        spec,
        workspace.store.cache,
        union=protocol.output == "softmax",
        advance=stage(f"{cell.dataset}: outlines"),
    )
    draws = pose(cell, dataset.samples, workspace.folds(cell.reading).folds, truth.labels, truth.classes)

    def new_source() -> Source:
        return open_source(cell, protocol, spec, workspace)

    setting = Setting(
        samples=dataset.samples,
        shapes=dataset.pixels.original_shapes,
        truth=truth,
        spec=spec,
        protocol=protocol,
        new_source=cache(new_source) if protocol.encoder == "frozen" else new_source,
        seed=cell.seed or 0,
        device=workspace.device,
    )
    tables, folds, trials = [], [], []
    for draw in draws:
        title = f"{cell.label}: fold {draw.number}, epochs"
        found = fit(setting, draw, work / f"fold{draw.number}", stage(title))
        shown = (truth.labels[draw.train] == 1).any(axis=0)
        untrained = [name for name, there in zip(truth.classes, shown, strict=True) if not there]
        told = describe(dataset.samples, draw.number, draw.train, draw.val, draw.test)
        folds.append(told | {"untrained_classes": untrained} | found.chosen)
        trials += [{"fold": draw.number} | trial for trial in found.trials]
        tables.append(found.table)
    tested = np.concatenate([draw.test for draw in draws])
    predictions = pd.concat(tables, ignore_index=True).assign(**group_columns(dataset.samples.table.iloc[tested]))
    absent = predictions[[f"label:{name}" for name in truth.classes]].to_numpy() == 0
    details = {
        "folds": folds,
        "distance_unit": DISTANCE_UNIT,
        "tolerance": protocol.tolerance,
        "side": spec.size,
        "nothing_drawn": {"dice": float(absent.mean())},
    }
    return Outcome(predictions, score(predictions), details, trials=tuple(trials))

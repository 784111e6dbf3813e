"""Run a report generation cell: train a decoder per fold, write the reports of its test studies, and score them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from benchx.planning import Cell
from benchx.protocols import Generate, read_protocol
from benchx.tasks.folds import describe
from benchx.tasks.predictions import Outcome
from benchx.tasks.report_generation.cases import read_cases
from benchx.tasks.report_generation.comparing import (
    against_cleaned,
    against_models,
    against_raw,
    chance,
    require_radgraph,
)
from benchx.tasks.report_generation.fitting import Setting, fit
from benchx.tasks.report_generation.patches import Source, open_source
from benchx.tasks.report_generation.problem import pose
from benchx.tasks.report_generation.scores import score
from benchx.tasks.subgroups import group_columns
from benchx.workspace import Workspace, cell_input


def run(cell: Cell, workspace: Workspace, work: Path) -> Outcome:
    """Fit and predict a cell. Its texts stay in the private table `reports`: `sample`, `generated`, `reference`.

    Args:
        work: folder of the states that a killed cell continues from.

    Raises:
        NotApplicable: see `benchx.tasks.report_generation.problem.pose` and `patches.open_source`.
        WeightsMissing: reports are ranked by a scorer whose model is not there.
    """
    protocol = read_protocol(cell.settings["protocol"])
    assert isinstance(protocol, Generate)
    if cell.primary == "radgraph_f1":
        require_radgraph()
    samples, stage = workspace.dataset(cell.reading).samples, workspace.progress.stage
    cases = read_cases(samples, protocol.text, protocol.views)
    draws = pose(cell, samples, workspace.folds(cell.reading).folds, cases)
    spec = cell_input(cell, protocol.input, workspace)

    def new_source() -> Source:
        return open_source(cell, protocol, spec, workspace)

    new = cache(new_source) if protocol.encoder == "frozen" else new_source
    setting = Setting(cases, protocol, new, cell.seed or 0, workspace.device)
    folds, trials = [], []
    generated: list[str] = []
    cleaned: list[str] = []
    for draw in draws:
        found = fit(setting, draw, work / f"fold{draw.number}", stage(f"{cell.label}: fold {draw.number}, epochs"))
        generated += found.generated
        cleaned += found.cleaned
        parts = {"train": draw.train, "val": draw.val, "test": draw.test}
        told = describe(samples, draw.number, *(cases.images(numbers) for numbers in parts.values()))
        folds.append(told | {"studies": {name: len(one) for name, one in parts.items()}} | found.chosen)
        trials += [{"fold": draw.number} | trial for trial in found.trials]
    tested = np.concatenate([draw.test for draw in draws])
    references = [cases.reports[case] for case in tested]
    columns, details = against_raw(generated, references)
    if protocol.references == "cleaned":
        columns = pd.concat([columns, against_cleaned(generated, cleaned)], axis=1)
    read, scorers, unavailable = against_models(generated, references, workspace)
    names = cases.names[tested]
    known = {
        "sample": names,
        "cluster": cases.clusters[tested],
        "fold": np.concatenate([np.full(len(draw.test), draw.number, np.int8) for draw in draws]),
    }
    groups = group_columns(samples.table.iloc[cases.rows[tested, 0]])
    predictions = pd.concat([pd.DataFrame(known), columns, read], axis=1).assign(**groups)
    details |= {"folds": folds, "scorers": scorers, "without_report": cases.without_report}
    details["unavailable"] |= unavailable
    for name, why in details["unavailable"].items():
        workspace.progress.say(f"unavailable     {name}: {why}")
    details["chance"] = {"bleu_4": chance(generated, references)}
    reports = pd.DataFrame({"sample": names, "generated": generated, "reference": references})
    return Outcome(predictions, score(predictions), details, {"reports": reports}, tuple(trials))

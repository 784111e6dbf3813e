"""A small report generation problem, made here: patches that say which of a few reports belongs to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchx.datasets.samples import COLUMNS, Report, Samples
from benchx.planning import Cell
from benchx.protocols import Generate
from benchx.tasks.report_generation.cases import NO_IMAGE, Cases, read_cases
from benchx.tasks.report_generation.fitting import Setting
from benchx.tasks.report_generation.patches import Source

TEXTS = ("The heart is large.", "No effusion. Lungs clear.", "Left pneumothorax; no rib fracture.")
PATCHES, DIM = 3, 8


def protocol(**changes: object) -> Generate:
    fields = {
        "kind": "generate",
        "input": {"preprocessing": "card"},
        "epochs": 2,
        "batch_size": 8,
        "lr": 0.001,
        "head_lr": 0.001,
        "weight_decay": 0.0,
        "patience": 50,
        "precision": "fp32",
        "encoder": "frozen",
        "decoder": "transformer",
        "views": 2,
        "text": ["findings"],
        "cleaning": "iu-xray",
        "vocabulary_threshold": 1,
        "max_length": 12,
        "beam": 3,
    }
    return Generate.model_validate(fields | changes)


def cell(**changes: object) -> Cell:
    fields = dict(
        suite="s", suite_version=1, method="m", dataset="d", task="report_generation", protocol="g", split="official"
    )
    settings = {"smallest_fraction": 0.1, "cut_validation": True, "short_side": 64}
    return Cell(**(fields | {"fraction": 1.0, "seed": 0, "primary": "bleu_4", "settings": settings} | changes))


def samples(rows: list[dict[str, object]], reports: dict[str, Report]) -> Samples:
    """Samples of rows that may leave out columns."""
    table = pd.DataFrame([{name: None for name in COLUMNS} | {"image": "x.png", "official": ""} | row for row in rows])
    return Samples("d", Path("d"), table, np.empty((len(table), 0), np.float32), (), reports=reports)


def studies(count: int, images: int = 2) -> Samples:
    """Studies of two images each, every third of the first text and so on; every fifth study lacks its second."""
    rows, reports = [], {}
    for study in range(count):
        for view in range(1 if study % 5 == 4 else images):
            name = f"s{study:03d}-{view}"
            rows.append({"sample": name, "study": f"s{study:03d}", "patient": f"p{study // 2:03d}"})
            reports[name] = Report(findings=TEXTS[study % len(TEXTS)])
    return samples(rows, reports)


def source(found: Samples, seed: int = 0) -> Source:
    """Noisy patches whose mean is that of the study's text."""
    generator = torch.Generator().manual_seed(seed)
    kinds = torch.tensor([int(study[1:]) % len(TEXTS) for study in found.table["study"]])
    means = torch.randn(len(TEXTS), DIM, generator=generator)
    values = means[kinds][:, None] + 0.3 * torch.randn(len(found.table), PATCHES, DIM, generator=generator)

    def inputs(rows, rng):
        there = rows != NO_IMAGE
        return values[torch.from_numpy(np.where(there, rows, 0))], torch.from_numpy(there)

    def patches(given, there):
        return given.flatten(1, 2), there.repeat_interleave(PATCHES, dim=1)

    return Source(DIM, inputs, patches, None, "cached")


def setting(found: Samples, options: Generate, **changes: object) -> Setting:
    cases: Cases = read_cases(found, options.text, options.views)
    made = source(found)
    fields = {"cases": cases, "protocol": options, "new_source": lambda: made, "seed": 0, "device": "cpu"}
    return Setting(**(fields | changes))

"""What the frozen protocol costs beside one pass of feature extraction, and its peak memory at NIH's size.

    python benchmarks/frozen_protocol.py cost      # 3 fractions x 3 seeds against one ResNet-50 pass, one run
    python benchmarks/frozen_protocol.py memory    # 112 120 x 2048 simulated features, whole protocol

`cost` runs everything on simulated radiographs at 224 px with the default threads. `memory` builds a
feature file and a table of NIH's size in a temporary folder and prints the process's peak resident set.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchx.cell import execute, frozen_features
from benchx.datasets.readers import nih
from benchx.datasets.samples import COLUMNS, Samples
from benchx.datasets.splits import make_folds
from benchx.phantom.writers import write
from benchx.planning import Reading, plan
from benchx.protocols import Frozen
from benchx.results.environment import peak_memory_bytes
from benchx.results.store import Store
from benchx.suites import read_suite
from benchx.tasks.classification import problem as classification
from benchx.tasks.classification.frozen import frozen_fit
from benchx.workspace import Workspace

NIH_IMAGES, NIH_PATIENTS, WIDTH = 112_120, 30_805, 2048

SUITE = """
extends: phantom
only: [nih, rsna]
name: cost
short_side: 256
datasets: {rsna: null}
protocols: {frozen: {input: {size: 224}}}
"""


def cost(patients: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write("nih", root / "nih", patients, 0, 256, lambda done, total: None)
        (root / "cost.yaml").write_text(SUITE)
        cells = plan(read_suite(str(root / "cost.yaml")), ["random-resnet50"])
        workspace = Workspace(store=Store(root / "store"), roots={"nih": root / "nih"})
        images = len(workspace.dataset(Reading("nih", "official", "unknown", 256)).samples.table)
        workspace.weights("random-resnet50")
        protocol = Frozen.model_validate(cells[0].settings["protocol"])
        started = time.perf_counter()
        frozen_features(cells[0], protocol, workspace)
        extraction = time.perf_counter() - started
        started = time.perf_counter()
        for cell in cells:
            execute(cell, workspace)
        heads = time.perf_counter() - started
    print(f"{images} images, {len(cells)} cells: extraction {extraction:.1f} s, all heads {heads:.1f} s")
    print(f"whole protocol / one extraction pass = {(extraction + heads) / extraction:.3f} (limit 1.3)")


def memory() -> None:
    rng = np.random.default_rng(0)
    patients = rng.integers(0, NIH_PATIENTS, NIH_IMAGES).astype(str)
    names = np.array([f"{row:08d}" for row in range(NIH_IMAGES)])
    table = pd.DataFrame({"sample": names, "patient": patients, "image": names, "official": ""}).reindex(
        columns=COLUMNS
    )
    labels = (rng.random((NIH_IMAGES, 14)) < np.geomspace(0.002, 0.18, 14)).astype(np.float32)
    samples = Samples("nih", Path(), table, labels, nih.CLASSES)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.npy"
        features = np.lib.format.open_memmap(path, "w+", np.float32, (NIH_IMAGES, WIDTH))
        for start in range(0, NIH_IMAGES, 4096):
            block = rng.standard_normal((min(4096, NIH_IMAGES - start), WIDTH), np.float32)
            features[start : start + 4096] = block + 0.1 * labels[start : start + 4096].sum(1, keepdims=True)
        features.flush()
        del features
        (cell,) = plan(read_suite("chestxray"), ["any"], datasets=["nih"], protocols=["frozen"], fractions=[1.0])
        fit = frozen_fit(np.load(path, mmap_mode="r"), Frozen.model_validate(cell.settings["protocol"]), "cpu")
        started = time.perf_counter()
        problem = classification.pose(cell, samples, make_folds(samples, "official"))
        outcome = classification.run(problem, fit, lambda done, total: None)
        classification.score(outcome.predictions)
    spent, peak = time.perf_counter() - started, peak_memory_bytes() / 1e9
    print(f"{NIH_IMAGES} x {WIDTH}: {spent:.0f} s, peak {peak:.2f} GB (limit 6)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["cost", "memory"])
    parser.add_argument("--patients", type=int, default=500)
    arguments = parser.parse_args()
    cost(arguments.patients) if arguments.what == "cost" else memory()

"""Time a board of 12 methods x 10 datasets x 3 fractions x 5 draws from predictions: first, and again unchanged.

python benchmarks/board_speed.py FOLDER [METHODS]

Fills FOLDER with a store of simulated predictions unless it is there already. The test sets have the sizes of public
ones (images, patients, classes).
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from made_stores import record

from benchx.methods.cards.reading import card_names
from benchx.planning import Cell, plan
from benchx.reporting.building.leaderboard import Rules, build_board
from benchx.reporting.written.files import write_board
from benchx.results.store import Store
from benchx.suites import Suite, read_suite

SIZES = {
    "nih-size": (22433, 2797, 14),
    "mimic-size": (5159, 293, 14),
    "vindr-size": (3000, 3000, 14),
    "chexpert-size": (668, 500, 14),
    "rsna-size": (4003, 4003, 1),
    "siim-size": (1372, 1372, 1),
    "covidx-size": (400, 400, 1),
    "object-size": (1000, 1000, 1),
    "tbx-size": (1800, 1800, 3),
    "shenzhen-size": (132, 132, 1),
}


def main() -> None:
    folder, methods = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 12
    suite = _suite(folder)
    names = [name for name in card_names() if name != "cxr-bert"][:methods]
    store = Store(folder / "store")
    cells = plan(suite, names)
    if not store.cells.is_dir():
        for cell in cells:
            table = _table(cell)
            store.put(record(cell, table, {"data": "real"}), table)
    print(f"{len(names)} methods, {len(suite.datasets)} datasets, {len(cells)} cells")
    for what in ("first", "again, unchanged"):
        started = time.perf_counter()
        board = build_board(suite, [store], Rules(), lambda card: None, lambda done, total: None)
        built = time.perf_counter()
        files = write_board(board, folder / "board")
        print(f"{what}: built in {built - started:.1f} s, {len(files)} files in {time.perf_counter() - built:.1f} s")
    print(f"page {(folder / 'board' / 'index.html').stat().st_size / 1e6:.2f} MB")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def _suite(folder: Path) -> Suite:
    folder.mkdir(parents=True, exist_ok=True)
    datasets = []
    for name, (_, _, classes) in SIZES.items():
        listed = ", ".join(f"C{number}" for number in range(classes))
        (folder / f"{name}.yaml").write_text(
            f"name: {name}\ntitle: {name}\nlicence: none\nsource: simulated\ncitation: none\nsize: none\n"
            f"tasks: [classification]\nclasses: [{listed}]\ntable: {{file: table.csv, images: none}}\n"
            f"columns: {{image: image, labels: [{listed}]}}\n"
        )
        datasets.append(
            f"  {name}:\n    file: {name}.yaml\n    split: official\n    tasks:\n"
            "      classification: {protocols: [finetune], primary: macro_auroc}\n"
        )
    removed = "".join(f"  {name}: null\n" for name in read_suite("chestxray").datasets)
    (folder / "suite.yaml").write_text(
        f"extends: chestxray\nname: speed\nversion: 1\ndescription: simulated\ndatasets:\n{removed}{''.join(datasets)}"
    )
    return read_suite(str(folder / "suite.yaml"))


def _table(cell: Cell) -> pd.DataFrame:
    cases, patients, classes = SIZES[cell.dataset]
    truth = np.random.default_rng(cases)
    clusters = np.sort(np.append(np.arange(patients), truth.integers(0, patients, cases - patients)))
    labels = (truth.random((cases, classes)) < np.geomspace(0.01, 0.3, classes)).astype(np.float32)
    sex = truth.integers(0, 2, patients)[clusters]
    noise = np.random.default_rng([cases, cell.seed or 0, int(1000 * cell.fraction), *cell.method.encode()])
    scores = noise.normal(size=labels.shape) + (1 + 0.5 * noise.random() + cell.fraction) * labels - 2
    columns = {
        "sample": [f"{number:06d}" for number in range(cases)],
        "cluster": [f"{number:05d}" for number in clusters],
        "fold": np.zeros(cases, np.int8),
        "group:sex": pd.array(np.where(sex, "female", "male"), dtype="string"),
    }
    for index, name in enumerate(cell.settings["classes"]):
        columns[f"score:{name}"] = scores[:, index].astype(np.float32)
        columns[f"label:{name}"] = labels[:, index]
    return pd.DataFrame(columns)


if __name__ == "__main__":
    main()

"""From a suite to its cells: the grid of one method's work, and the key of every point in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchx.datasets.samples import Uncertain
from benchx.datasets.splits import SplitKind
from benchx.digests import digest_json
from benchx.errors import UsageError, unknown_name
from benchx.protocols import Frozen, Neighbours, resolved
from benchx.suites import Suite, task_classes
from benchx.tasks.kinds import KINDS, READS_BOTH, READS_REPORTS, READS_TEXT


@dataclass(frozen=True)
class Reading:
    """How a dataset is read for a cell: its split, what uncertain labels count as, its pixels' short side."""

    dataset: str
    split: SplitKind
    uncertain: Uncertain
    short_side: int


@dataclass(frozen=True)
class Cell:
    """One point of a suite's grid for one method: the unit of work, of caching and of resuming.

    Attributes:
        seed: the draw, or None where the protocol draws nothing.
        settings: everything else that can change the numbers, resolved and JSON-able: the protocol, the classes,
            what uncertain labels count as, the pixel cache's short side, and below fraction 1 the suite's smallest
            fraction and whether validation is cut.
    """

    suite: str
    suite_version: int
    method: str
    dataset: str
    task: str
    protocol: str
    split: SplitKind
    fraction: float
    seed: int | None
    primary: str
    settings: dict[str, Any]

    @property
    def column(self) -> tuple[str, str, str, float]:
        """Dataset, task, protocol and fraction: the board column this cell belongs to."""
        return self.dataset, self.task, self.protocol, self.fraction

    @property
    def reading(self) -> Reading:
        """How the cell's dataset is read."""
        return Reading(self.dataset, self.split, self.settings["uncertain"], self.settings["short_side"])

    @property
    def content(self) -> tuple[str, bool, bool]:
        """What the digest of the cell's data is over: its dataset, and whether with outlines and with reports.

        Digests of other contents are never equal, however many cells are on one version of a dataset.
        """
        outlines = self.task == "segmentation" or self.settings["protocol"].get("grounding", False)
        return self.dataset, outlines, self.task in READS_REPORTS or self._reads_both

    @property
    def reads_text(self) -> bool:
        """Whether the weights of the method's text side are part of what is asked."""
        return self.task in READS_TEXT or self._reads_both

    @property
    def _reads_both(self) -> bool:
        return self.settings["protocol"]["kind"] in READS_BOTH

    @property
    def label(self) -> str:
        """The cell in words, for progress and messages."""
        seed = "deterministic" if self.seed is None else f"seed {self.seed}"
        task = "" if self.task == "classification" else f"{self.task} / "
        return f"{self.method} / {self.dataset} / {task}{self.protocol} / {100 * self.fraction:g} % / {seed}"

    @property
    def digest(self) -> str:
        """sha256 of what is asked for, whatever the data and weights; suite and protocol names are no part."""
        asked = asdict(self)
        for name in ("suite", "suite_version", "protocol", "primary"):
            del asked[name]
        return digest_json(asked)

    def key(self, *, card: dict[str, Any], weights: str, dataset: str, split: str) -> str:
        """Return the sha256 that names this cell's result.

        Args:
            card: the numeric part of the method card.
            weights, dataset, split: the digests of the checkpoint, of the images and labels, and of the split.
        """
        method = method_digest(self.task, card, weights)
        return digest_json({"cell": self.digest, "method": method, "dataset": dataset, "split": split})


def is_meant(cell: Cell, suite: Suite) -> bool:
    """Whether a suite means a cell for its method, and does not only allow it."""
    methods = suite.datasets[cell.dataset].tasks[cell.task].methods
    return methods is None or cell.method in methods


def method_digest(task: str, card: dict[str, Any], weights: str) -> str:
    """Return the sha256 of a method as it enters a task: the card's numbers, the weights, the task's numerics."""
    return digest_json({"card": card, "weights": weights, "numerics": KINDS[task].numerics})


def plan(
    suite: Suite,
    methods: Sequence[str],
    *,
    datasets: Sequence[str] = (),
    tasks: Sequence[str] = (),
    protocols: Sequence[str] = (),
    fractions: Sequence[float] = (),
    seeds: Sequence[int] = (),
) -> list[Cell]:
    """Return the suite's cells for some methods, optionally narrowed; an empty narrowing means all.

    A frozen protocol at fraction 1 draws nothing, nor does it on BenchX's fixed fractions, nor does a task that learns
    nothing from labels: each is one cell with seed None ("deterministic").

    Raises:
        UsageError: a narrowing names something that the suite does not hold.
    """
    all_tasks = sorted({task for entry in suite.datasets.values() for task in entry.tasks})
    _narrow("dataset", datasets, list(suite.datasets))
    _narrow("task", tasks, all_tasks)
    _narrow("protocol", protocols, list(suite.protocols))
    _narrow("fraction", [f"{value:g}" for value in fractions], [f"{value:g}" for value in all_fractions(suite)])
    _narrow("seed", [str(seed) for seed in seeds], [str(seed) for seed in suite.seeds])
    cells = [
        cell
        for method in methods
        for dataset, entry in suite.datasets.items()
        for task, settings in entry.tasks.items()
        for protocol in settings.protocols
        for cell in _cells(suite, method, dataset, task, protocol)
        if (not datasets or dataset in datasets)
        and (not tasks or task in tasks)
        and (not protocols or protocol in protocols)
        and (not fractions or any(abs(cell.fraction - value) < 1e-12 for value in fractions))
        and (not seeds or cell.seed is None or cell.seed in seeds)
    ]
    if not cells:
        raise UsageError(
            f"suite '{suite.name}' has no such cell",
            "dataset, task, protocol, fraction and seed together leave nothing",
            "drop one of the options, or see benchx run --dry-run",
        )
    return cells


def all_fractions(suite: Suite) -> list[float]:
    """Return the label fractions of any task of a suite, rising."""
    own = {one for entry in suite.datasets.values() for task in entry.tasks.values() for one in task.fractions or ()}
    return sorted(own | set(suite.fractions))


def _narrow(kind: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    for name in wanted:
        if name not in known:
            raise unknown_name(f"{kind} in this suite:", name, known)


def _cells(suite: Suite, method: str, dataset: str, task: str, protocol: str) -> list[Cell]:
    entry = suite.datasets[dataset]
    wanted, kind = entry.tasks[task], KINDS[task]
    recipe = resolved(suite.protocols[protocol], dataset, method)
    settings = {
        "protocol": recipe.model_dump(mode="json"),
        "classes": list(wanted.classes or task_classes(suite.dataset(dataset), task)),
        "uncertain": entry.uncertain,
        "short_side": entry.short_side or suite.short_side,
    }
    fractions = (wanted.fractions or suite.fractions) if kind.trained else (1.0,)
    fixed = entry.split == "benchx-2024"
    drawn = {"smallest_fraction": min(fractions), "cut_validation": suite.cut_validation}

    def seeds(fraction: float) -> tuple[int | None, ...]:
        deterministic = isinstance(recipe, Frozen | Neighbours) and (fraction == 1 or fixed)
        return suite.seeds if kind.trained and not deterministic else (None,)

    return [
        Cell(
            suite=suite.name,
            suite_version=suite.version,
            method=method,
            dataset=dataset,
            task=task,
            protocol=protocol,
            split=entry.split,
            fraction=fraction,
            seed=seed,
            primary=wanted.primary,
            settings=settings if fraction == 1 else settings | drawn,
        )
        for fraction in fractions
        for seed in seeds(fraction)
    ]

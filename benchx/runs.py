"""`benchx run` as a function: run the planned cells that can run, and say what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchx.datasets import find_root, get_dataset
from benchx.datasets.benchx_lists import SPLITS_FOLDER
from benchx.datasets.samples import Samples
from benchx.errors import BenchxError, UsageError
from benchx.progress import Progress, Silent
from benchx.request import Request, check_names, check_there, request
from benchx.resources import data_folder, environment_folder
from benchx.results.store import Store
from benchx.workspace import Workspace

if TYPE_CHECKING:
    from benchx.engines.local import Finished

INCOMPLETE = ("data-missing", "weights-missing", "failed")
PathLike = str | Path


@dataclass(frozen=True)
class Summary:
    """What became of every cell of a run, in order."""

    suite: str
    store: Path
    finished: tuple[Finished, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of cells per state."""
        return dict(Counter(one.state for one in self.finished))

    @property
    def complete(self) -> bool:
        """Whether no cell failed or lacked its data or weights."""
        return not any(one.state in INCOMPLETE for one in self.finished)

    def shortfalls(self) -> list[str]:
        """Return one line per state and reason of the cells that have no result, with their number."""
        without = Counter((one.state, one.reason) for one in self.finished if one.state not in ("run", "done"))
        return [f"{count} {state}: {reason}" for (state, reason), count in without.items()]

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per cell: method, dataset, task, protocol, fraction, seed, state, score, reason, key."""
        names = ("method", "dataset", "task", "protocol", "fraction", "seed")
        return [
            {name: getattr(one.cell, name) for name in names}
            | {"state": one.state, "score": one.score, "reason": one.reason, "key": one.key}
            for one in self.finished
        ]


def run(
    suite: str,
    methods: Sequence[str],
    *,
    datasets: Sequence[str] = (),
    tasks: Sequence[str] = (),
    protocols: Sequence[str] = (),
    fractions: Sequence[float] = (),
    seeds: Sequence[int] = (),
    shard: tuple[int, int] = (1, 1),
    data_root: PathLike | None = None,
    roots: Mapping[str, PathLike] | None = None,
    checkpoints: Mapping[str, PathLike] | None = None,
    splits: PathLike | None = None,
    store: PathLike = "benchx-store",
    device: str = "auto",
    skip_unreadable: bool = False,
    retry_failed: bool = False,
    recompute: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Run a suite for some methods and store a result for every cell.

    Finished cells are not run again; a killed run continues. See `request` for the narrowing arguments
    (empty = all).

    Args:
        suite: a suite's name, or a file.
        data_root: folder with one folder per dataset (default: BENCHX_DATA).
        roots, checkpoints: folders of single datasets, files of single methods.
        splits: folder of BenchX's split lists (default: BENCHX_SPLITS, else where they are fetched to).
        store: folder of the results.
        device: `auto`, `cpu` or `cuda`.
        skip_unreadable: leave unreadable images out; every result then says so.
        retry_failed: run cells again whose last run failed.
        recompute: run finished cells again.
        strict: stop at the first cell that cannot run.

    Returns:
        The state of every cell.

    Raises:
        UsageError: an unknown name.
        BenchxError: a dataset named explicitly is missing, no method has its weights or no dataset is there, or
            `strict`.
        StoreError: results cannot be written.

    Example:
        >>> benchx.run("chestxray", ["medklip"], data_root="/data", checkpoints={"medklip": "c.pth"})  # doctest: +SKIP
    """
    asked = request(
        suite,
        methods,
        datasets=datasets,
        tasks=tasks,
        protocols=protocols,
        fractions=fractions,
        seeds=seeds,
        shard=shard,
    )
    workspace = make_workspace(
        asked,
        data_root=data_root,
        roots=roots,
        checkpoints=checkpoints,
        splits=splits,
        store=store,
        device=device,
        skip_unreadable=skip_unreadable,
        progress=progress,
    )
    return run_request(asked, workspace, retry_failed=retry_failed, recompute=recompute, strict=strict)


def make_workspace(
    asked: Request,
    *,
    data_root: PathLike | None,
    roots: Mapping[str, PathLike] | None,
    checkpoints: Mapping[str, PathLike] | None,
    splits: PathLike | None,
    store: PathLike,
    device: str,
    skip_unreadable: bool,
    progress: Progress | None,
) -> Workspace:
    """Resolve a run's places (explicit arguments first, then BENCHX_DATA and BENCHX_WEIGHTS) and check them.

    Raises:
        BenchxError: see `benchx.request.check_names`.
    """
    workspace = Workspace(
        store=Store(store),
        cards=asked.cards,
        roots={name: Path(path) for name, path in (roots or {}).items()},
        data_root=data_folder(data_root),
        datasets={name: asked.suite.dataset(name) for name in asked.suite.datasets},
        splits_root=Path(splits) if splits else environment_folder("BENCHX_SPLITS") or SPLITS_FOLDER,
        checkpoints={name: Path(path) for name, path in (checkpoints or {}).items()},
        weights_root=environment_folder("BENCHX_WEIGHTS"),
        device=resolve_device(device),
        skip_unreadable=skip_unreadable,
        progress=progress or Silent(),
    )
    check_names(asked, workspace)
    return workspace


def find_data(dataset: str, data_root: PathLike | None, roots: Mapping[str, Path]) -> Samples:
    """Read one dataset from where a run would look for it, whether or not its images are all there."""
    known = get_dataset(dataset)
    return known.read(find_root(known, roots, data_folder(data_root)))


def resolve_device(device: str) -> str:
    """Turn `auto` into `cuda` where a GPU can be used, else `cpu`.

    Raises:
        UsageError: an unknown device, or `cuda` where there is none.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"unknown device '{device}'", "it is one of auto, cpu, cuda", "give --device auto")
    if device == "cpu":
        return device
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UsageError("no CUDA device is available", "torch sees none", "use --device cpu or auto")
    return "cuda" if available else "cpu"


def run_request(asked: Request, workspace: Workspace, *, retry_failed: bool, recompute: bool, strict: bool) -> Summary:
    """Run the planned cells; see `run`."""
    from benchx.engines.local import run_cells

    check_there(asked, workspace)
    finished = []
    for one in run_cells(asked.cells, workspace, retry_failed=retry_failed, recompute=recompute):
        finished.append(one)
        if strict and one.state in INCOMPLETE:
            raise one.error or BenchxError(f"{one.cell.label} {one.state}", one.reason or "", "see benchx store status")
    return Summary(asked.suite.name, workspace.store.path, tuple(finished))

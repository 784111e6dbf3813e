"""Which results of a store stand for a method on a suite."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from benchx.errors import StoreError
from benchx.planning import Cell, is_meant, plan
from benchx.results.record import UNFINISHED, Record
from benchx.results.store import Store
from benchx.results.versions import of_newest_method, on_newest_data
from benchx.suites import Suite


@dataclass(frozen=True)
class Selection:
    """The results of one method on one suite, in the order of the plan.

    Attributes:
        data: whether the images were real or simulated.
        finished: planned cells with their result, done or not applicable.
        missing: planned cells without one, each with its state: `not run`, that of its failure, or
            `other version` where the only result is on another version of the data or of the method. Cells that are
            not meant for the method do not lack.
    """

    suite: Suite
    method: str
    data: Literal["real", "phantom"]
    finished: tuple[tuple[Cell, Record], ...]
    missing: tuple[tuple[Cell, str], ...]

    @property
    def done(self) -> tuple[tuple[Cell, Record], ...]:
        """The cells that have scores."""
        return tuple((cell, record) for cell, record in self.finished if record.state == "done")


def select(suite: Suite, store: Store, method: str) -> Selection:
    """Take a method's finished results from a store, of one version of every dataset's data and of the method.

    It is that of the newest one, see `benchx.results.versions`: a bundle speaks of one version of a dataset.

    Raises:
        StoreError: nothing is done, or real and simulated results stand together.
    """
    planned = {cell.digest: cell for cell in plan(suite, [method])}
    records = list(store.records())
    finished = [record for record in records if record.cell_digest in planned and record.state not in UNFINISHED]
    done = [record for record in finished if record.state == "done"]
    if not done:
        methods = ", ".join(sorted({record.cell["method"] for record in records})) or "none"
        raise StoreError(
            f"{store.path} holds no finished result of '{method}' on suite '{suite.name}' version {suite.version}",
            f"it holds results of these methods: {methods}",
            f"run: benchx run --suite {suite.name} --method {method} --store {store.path}",
        )
    kinds = {record.provenance.data or "real" for record in done}
    if len(kinds) > 1:
        raise StoreError(
            f"{store.path} holds phantom and real results of '{method}' on suite '{suite.name}'",
            "simulated and real images are never published together",
            "keep them in two stores",
        )
    by_content: dict[tuple[str, bool, bool], list[Record]] = defaultdict(list)
    for record in finished:
        by_content[planned[record.cell_digest].content].append(record)
    newest = [record for of_one in by_content.values() for record in on_newest_data(of_one)]
    chosen = {record.cell_digest: record for record in of_newest_method(newest, "task")}
    failed = {record.cell_digest: record.state for record in records if record.state in UNFINISHED}
    others = {record.cell_digest for record in finished}
    return Selection(
        suite=suite,
        method=method,
        data=kinds.pop(),
        finished=tuple((cell, chosen[digest]) for digest, cell in planned.items() if digest in chosen),
        missing=tuple(
            (cell, "other version" if digest in others else failed.get(digest, "not run"))
            for digest, cell in planned.items()
            if digest not in chosen and is_meant(cell, suite)
        ),
    )

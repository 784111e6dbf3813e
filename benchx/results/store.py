"""The results store: a plain directory, one folder per cell, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from pydantic import ValidationError

from benchx.errors import StoreError
from benchx.results.record import UNFINISHED, Record

if TYPE_CHECKING:
    import pandas as pd

RECORD, PREDICTIONS, TRIALS = "record.json", "predictions.parquet", "trials.jsonl"


@dataclass(frozen=True)
class Merged:
    """What a merge did: records copied, records that were already there."""

    copied: int
    present: int


class Store:
    """A directory of results.

    `cells/<key>/` holds `record.json` and, for a finished cell, `predictions.parquet`, for one that searched
    `trials.jsonl` and for one that wrote reports `reports.parquet`;
    `failures/<cell digest>/record.json` the last failure of a cell, until it succeeds; `cache/` decoded
    pixels and features, which can be made again; `work/` states of running cells.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        names = ("cells", "failures", "cache", "work")
        self.cells, self.failures, self.cache, self.work = (self.path / name for name in names)

    def get(self, key: str) -> Record | None:
        """Return the record of a finished or not applicable cell, or None.

        Raises:
            StoreError: the record is there but cannot be read.
        """
        return _read(self.cells / key)

    def failure(self, cell_digest: str) -> Record | None:
        """Return the record of a cell's last failure, or None when it never failed or has succeeded since."""
        return _read(self.failures / cell_digest)

    def records(self) -> Iterator[Record]:
        """Yield every record: cells by key, then failures."""
        for parent in (self.cells, self.failures):
            for folder in sorted(parent.glob("[!.]*")):
                if (record := _read(folder)) is not None:
                    yield record

    def predictions(self, key: str) -> pd.DataFrame:
        """Return the predictions of a finished cell: one row per test case.

        Columns: `sample`, `cluster` (the patient where known), `fold`, and those of the task, see its `scores`: of a
        classification per class `score:NAME` (logit) and `label:NAME` (1, 0, or NaN where the label is unknown).
        Where the dataset knows them also `group:sex`, `group:age` (a band of years) and `group:view`, null where a
        case's is unknown; results of earlier versions have none.

        Raises:
            StoreError: the file is missing or truncated.
        """
        import pandas as pd

        path = self.cells / key / PREDICTIONS
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise StoreError(
                f"{path} cannot be read",
                str(error).splitlines()[0],
                f"remove the folder {path.parent} and run the suite again",
            ) from error

    def put(
        self,
        record: Record,
        predictions: pd.DataFrame | None = None,
        *,
        private: Mapping[str, pd.DataFrame] | None = None,
        trials: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Write a result whole or not at all; success removes the cell's earlier failure.

        Args:
            private: tables that are never bundled unasked, by name.
            trials: of the cell's search, JSON-able.

        Raises:
            StoreError: the disk is full or the folder cannot be written; nothing is left behind.
        """
        failure = self.failures / record.cell_digest
        target = failure if record.state in UNFINISHED else self.cells / record.key
        draft = target.parent / f".{uuid.uuid4().hex}"
        try:
            draft.mkdir(parents=True)
            if predictions is not None:
                predictions.to_parquet(draft / PREDICTIONS, index=False)
            for name, table in (private or {}).items():
                (draft / f"{name}.parquet").touch(mode=0o600)
                table.to_parquet(draft / f"{name}.parquet", index=False)
            if trials:
                lines = [json.dumps(trial, allow_nan=False) for trial in trials]
                (draft / TRIALS).write_text("\n".join(lines) + "\n", encoding="utf-8")
            text = json.dumps(record.model_dump(mode="json"), indent=1, allow_nan=False)
            (draft / RECORD).write_text(text + "\n", encoding="utf-8")
            for file in draft.iterdir():
                _sync(file)
            with FileLock(self.path / ".lock"):
                if record.state not in UNFINISHED:
                    shutil.rmtree(failure, ignore_errors=True)
                _replace(draft, target)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise StoreError(
                f"the result of {record.key[:12]} could not be written to {self.path}",
                error.strerror or str(error),
                "free space or choose another --store, then run again: finished cells are kept",
            ) from error

    def to_pandas(self) -> pd.DataFrame:
        """Return one row per record: the cell, its state and primary score, and the main provenance."""
        import pandas as pd

        names = ("suite", "method", "dataset", "task", "protocol", "split", "fraction", "seed", "primary")
        rows = []
        for record in self.records():
            row = {name: record.cell[name] for name in names}
            row |= {"state": record.state, "reason": record.reason}
            row["score"] = (record.scores or {}).get(record.cell["primary"])
            row |= {name: (record.scores or {}).get(name) for name in ("macro_auroc", "macro_auprc", "n")}
            row |= {name: getattr(record.provenance, name) for name in ("data", "unit", "wall_seconds", "device")}
            rows.append(row | {"key": record.key})
        columns = [*names, "state", "reason", "score", "macro_auroc", "macro_auprc", "n"]
        return pd.DataFrame(rows, columns=[*columns, "data", "unit", "wall_seconds", "device", "key"])

    def merge(self, other: Store) -> Merged:
        """Copy the records of another store that this one lacks.

        Raises:
            StoreError: the other store does not exist, or both hold a result of one key with different
                scores (nothing is copied then).
        """
        if not other.cells.is_dir():
            raise StoreError(f"{other.path} is no results store", "it has no folder cells/", "give a --store DIR")
        theirs = list(other.records())
        for record in theirs:
            mine = self.get(record.key)
            if mine and mine.state == record.state == "done" and mine.scores != record.scores:
                raise StoreError(
                    f"both stores hold {record.key[:12]} with different scores",
                    "the same cell, data, split and weights gave two numbers (another device or package?)",
                    "remove one of the two folders under cells/ and merge again",
                )
        new = [record for record in theirs if not self._knows(record)]
        for record in new:
            if record.state == "done":
                self.put(record, other.predictions(record.key), **other._beside(record.key))
            else:
                self.put(record)
        return Merged(len(new), len(theirs) - len(new))

    def trials(self, key: str) -> list[dict[str, Any]]:
        """Return the trials of a finished cell's search, in the order they were declared; empty where none was made.

        Raises:
            StoreError: the file cannot be read.
        """
        path = self.cells / key / TRIALS
        if not path.is_file():
            return []
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise StoreError(
                f"{path} cannot be read", str(error), "remove the folder and run the suite again"
            ) from error

    def _beside(self, key: str) -> dict[str, Any]:
        """Return what lies beside a result's predictions, as `put` takes it."""
        import pandas as pd

        tables = [path for path in sorted((self.cells / key).glob("*.parquet")) if path.name != PREDICTIONS]
        return {"private": {path.stem: pd.read_parquet(path) for path in tables}, "trials": self.trials(key)}

    def _knows(self, record: Record) -> bool:
        if record.state not in UNFINISHED:
            return self.get(record.key) is not None
        return self.failure(record.cell_digest) is not None or self.get(record.key) is not None

    def gc(self, *, caches: bool) -> int:
        """Remove drafts and states of runs that were killed, and with `caches` all cached pixels and features.

        A result that was being replaced when a run was killed is put back.

        Not to be called while a run writes to the store.

        Returns:
            The number of bytes freed.
        """
        for parent in (self.cells, self.failures):
            for old in parent.glob(".*.old"):
                if not (target := _target(old)).exists():
                    os.replace(old, target)
        doomed = [*self.cells.glob(".*"), *self.failures.glob(".*"), *self.work.glob("*")]
        doomed += self.cache.glob("*") if caches else ()
        freed = sum(_size(path) for path in doomed)
        for path in doomed:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return freed


def _replace(draft: Path, target: Path) -> None:
    """Put a draft in the place of a result; a kill in between leaves the old one, aside but whole."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(draft, target)
    shutil.rmtree(old, ignore_errors=True)


def _target(old: Path) -> Path:
    return old.with_name(old.name.removeprefix(".").removesuffix(".old"))


def _read(folder: Path) -> Record | None:
    path = folder / RECORD
    if not path.is_file():
        path = folder.with_name(f".{folder.name}.old") / RECORD
    if not path.is_file():
        return None
    todo = f"remove the folder {folder} and run the suite again"
    try:
        record = Record.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(f"{path} is not a readable record", f"{where}: {first['msg']}", todo) from error
    except OSError as error:
        raise StoreError(f"{path} is not a readable record", error.strerror or str(error), todo) from error
    name = record.cell_digest if record.state in UNFINISHED else record.key
    if folder.name != name:
        raise StoreError(f"{path} is the record of {name[:12]}", "a result's folder has its key as its name", todo)
    return record


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())

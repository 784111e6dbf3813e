"""The manifest of a bundle: what it holds, of which suite and method, under one digest."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict

from benchx.datasets import DATASETS
from benchx.datasets.samples import Dataset
from benchx.digests import digest_json
from benchx.errors import DataMissing, unknown_name
from benchx.suites import Suite, task_classes
from benchx.tasks.kinds import KINDS

MANIFEST = "manifest.json"
MAX_CELLS = 100_000
"""Of a suite's grid for one method; a manifest that asks for more is refused before it is planned."""

_FROZEN = ConfigDict(extra="forbid", frozen=True)


class BundledFile(BaseModel):
    """A file of the bundle: its path in the archive, sha256 and bytes."""

    model_config = _FROZEN

    path: str
    sha256: str
    size: int


class MissingCell(BaseModel):
    """A planned cell that the bundle lacks: its digest, its name in words, and why."""

    model_config = _FROZEN

    cell: str
    label: str
    state: str


class Manifest(BaseModel):
    """What a bundle says of itself.

    Attributes:
        id: sha256 over all other fields, and by `files` over the whole content: names this very bundle.
        suite: resolved in full, see `published_suite`; `suite_digest` is its sha256.
        data: whether the images were real or simulated.
        benchx: the version that made the bundle.
        pseudonymous: datasets whose predictions hold pseudonyms and no labels, see `benchx.publishing.pseudonyms`.
        salt: of the pseudonyms; null without any.
        missing: planned cells without a result.
        files: all others of the archive, by path.
    """

    model_config = _FROZEN

    schema_version: Literal[1] = 1
    id: str = ""
    suite_name: str
    suite_version: int
    suite_digest: str
    suite: dict[str, Any]
    method: str
    data: Literal["real", "phantom"]
    benchx: str
    pseudonymous: tuple[str, ...] = ()
    salt: str | None = None
    missing: tuple[MissingCell, ...] = ()
    files: tuple[BundledFile, ...] = ()

    def digest(self) -> str:
        """Return what `id` has to be."""
        return digest_json(self.model_dump(mode="json", exclude={"id"}))

    def to_bytes(self) -> bytes:
        """Return the one form in which a manifest is written."""
        return (json.dumps(self.model_dump(mode="json"), indent=1, allow_nan=False) + "\n").encode()


def listed(files: Mapping[str, bytes]) -> tuple[BundledFile, ...]:
    """Return the entries of some files, by path."""
    return tuple(
        BundledFile(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        for path, content in sorted(files.items())
    )


class PublishedSuite(Suite):
    """A suite as a bundle holds it. A dataset of its author's own is known by its name and classes alone: the
    description that the suite names is on another machine, and no file that a bundle names is ever opened."""

    def dataset(self, name: str) -> Dataset:
        """Return what is known of one of the suite's datasets.

        Raises:
            UsageError: it is none of the author's own, and this benchx does not know it.
        """
        entry = self.datasets[name]
        if entry.file is None:
            if name not in DATASETS:
                raise unknown_name("dataset", name, DATASETS)
            return DATASETS[name]
        classes: dict[str | None, list[str]] = defaultdict(list)
        for task, plan in entry.tasks.items():
            classes[KINDS[task].classes] += plan.classes or ()
        return Dataset(
            name=name,
            title=name,
            licence="",
            source="",
            citation="",
            size="",
            tasks=tuple(entry.tasks),
            family=name,
            classes=tuple(dict.fromkeys(classes["classes"])),
            mask_classes=tuple(dict.fromkeys(classes["mask_classes"])),
            read=_refuse,
        )

    def grid(self) -> int:
        """Return an upper bound of the number of a method's cells."""
        tasks = [task for entry in self.datasets.values() for task in entry.tasks.values()]
        columns = sum(len(task.protocols) * len(task.fractions or self.fractions) for task in tasks)
        return columns * len(self.seeds)


def published_suite(suite: Suite) -> dict[str, Any]:
    """Return a suite as a JSON value that holds everything its plan needs: of datasets of one's own the classes are
    written out, and of the path of their description only the file's name is left."""
    value: dict[str, Any] = suite.model_dump(mode="json")
    for name, entry in value["datasets"].items():
        if entry["file"] is not None:
            entry["file"] = Path(entry["file"]).name
            for task, plan in entry["tasks"].items():
                plan["classes"] = plan["classes"] or list(task_classes(suite.dataset(name), task))
    return value


def _refuse(root: Path) -> NoReturn:
    raise DataMissing(f"{root} cannot be read", "a bundle holds no description of its author's own datasets", "")

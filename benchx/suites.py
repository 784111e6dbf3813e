"""Suite files: which datasets, tasks, protocols, label fractions and seeds, and how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from benchx.datasets import get_dataset
from benchx.datasets.samples import Dataset, Uncertain
from benchx.datasets.splits import SplitKind
from benchx.errors import UsageError, unknown_name
from benchx.prompts.texts import prompts_for
from benchx.protocols import FewShot, Protocol, ZeroShot
from benchx.resources import resource_dir
from benchx.strict import Strict
from benchx.tasks.kinds import KINDS, few_shot_metric
from benchx.words import plural

Fraction = Annotated[float, Field(gt=0, le=1)]


class TaskPlan(Strict):
    """One task on one dataset.

    Attributes:
        protocols: names of the suite's protocols to run.
        primary: the metric that boards rank by.
        classes: the classes to train and score (of segmentation, what is outlined); null = all of the dataset.
        fractions: label fractions of this task; null = the suite's.
        methods: of the suite's methods those that are meant for this task; null = all.
    """

    protocols: tuple[str, ...] = Field(min_length=1)
    primary: str
    classes: tuple[str, ...] | None = None
    fractions: tuple[Fraction, ...] | None = Field(default=None, min_length=1)
    methods: tuple[str, ...] | None = None


class DatasetPlan(Strict):
    """One dataset of a suite: how it is read and split, and its tasks.

    Attributes:
        file: a description of a user's own dataset; in a suite file, relative to it.
        uncertain: what labels that their source calls uncertain count as.
        short_side: of this dataset's cached images, see `Suite`; null = the suite's.
    """

    split: SplitKind
    tasks: dict[str, TaskPlan]
    file: str | None = None
    uncertain: Uncertain = "unknown"
    short_side: int | None = Field(default=None, ge=32)


class Suite(Strict):
    """A suite file, resolved.

    Attributes:
        short_side: pixels; images are cached with their short side at most this long.
        fractions: label fractions, shares of the training patients.
        cut_validation: whether a fraction also cuts the validation set.
        seeds: draws of subset, order and augmentation.
        methods: those that are meant where a run names none.
    """

    name: str
    version: int = Field(ge=1)
    description: str
    short_side: int = Field(ge=32)
    fractions: tuple[Fraction, ...] = Field(min_length=1)
    cut_validation: bool
    seeds: tuple[int, ...] = Field(min_length=1)
    datasets: dict[str, DatasetPlan] = Field(min_length=1)
    protocols: dict[str, Protocol] = Field(min_length=1)
    methods: tuple[str, ...] = ()

    @field_validator("fractions", "seeds")
    @classmethod
    def _distinct(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) < len(values):
            raise ValueError("a value stands there twice")
        return tuple(sorted(values))

    def dataset(self, name: str) -> Dataset:
        """Return what is known of one of the suite's datasets.

        Raises:
            UsageError: no such dataset, or its description does not read or has another name.
        """
        file = self.datasets[name].file
        if file is None:
            return get_dataset(name)
        described = get_dataset(file)
        if described.name != name:
            raise UsageError(
                f"suite '{self.name}' calls a dataset '{name}' that {file} calls '{described.name}'",
                "results are told apart by that name",
                "give both the same name",
            )
        return described

    @model_validator(mode="after")
    def _names_exist(self) -> Suite:
        for dataset, plan in self.datasets.items():
            known = self.dataset(dataset)
            for task, settings in plan.tasks.items():
                if task not in known.tasks:
                    raise ValueError(f"dataset '{dataset}' has no task '{task}' (it has {', '.join(known.tasks)})")
                if unknown := sorted(set(settings.protocols) - set(self.protocols)):
                    raise ValueError(f"{dataset}.{task} names an unknown protocol '{unknown[0]}'")
                kind = KINDS[task]
                for name in settings.protocols:
                    if self.protocols[name].kind not in kind.protocols:
                        raise ValueError(
                            f"{dataset}.{task}: protocol '{name}' is of kind '{self.protocols[name].kind}'"
                        )
                for name in settings.protocols:
                    protocol = self.protocols[name]
                    if isinstance(protocol, ZeroShot) and protocol.search and plan.split == "cv5":
                        raise ValueError(
                            f"{dataset}.{task}: '{name}' searches prompts, which every fold of cv5 would choose by "
                            "itself, so that scores of different prompts were ranked together"
                        )
                    if isinstance(protocol, ZeroShot):
                        _check_prompts(protocol, settings.classes or known.classes)
                    if isinstance(protocol, FewShot) and settings.primary not in map(few_shot_metric, protocol.shots):
                        raise ValueError(f"{dataset}.{task}: '{name}' has no such shots for {settings.primary}")
                    if settings.primary.startswith("cleaned_") and getattr(protocol, "references", "") != "cleaned":
                        raise ValueError(f"{dataset}.{task}: {settings.primary} needs references: cleaned in '{name}'")
                if settings.primary not in kind.primaries:
                    raise ValueError(f"{dataset}.{task}: primary is one of {', '.join(kind.primaries)}")
                if unknown := sorted(set(settings.classes or ()) - set(task_classes(known, task))):
                    raise ValueError(f"{dataset}.{task} names an unknown class '{unknown[0]}'")
        return self


def _check_prompts(protocol: ZeroShot, classes: tuple[str, ...]) -> None:
    try:
        prompts_for(protocol.prompts, classes)
    except UsageError as error:
        raise ValueError(f"{error.what}; {error.todo}") from error


def task_classes(dataset: Dataset, task: str) -> tuple[str, ...]:
    """Return the names that the classes of a task on a dataset can have."""
    source = KINDS[task].classes
    return () if source is None else dataset.classes if source == "classes" else dataset.mask_classes


def suite_names() -> list[str]:
    """Return the names of the suites that ship with benchx, sorted."""
    return sorted(path.stem for path in resource_dir("suites").glob("*.yaml"))


def read_suite(name: str) -> Suite:
    """Read a suite by name, or from a file.

    A file may say `extends: NAME`: it then holds only what differs, mappings are merged key by key, and
    a key set to null is removed. With `only: [DATASET, ...]` the other datasets of what it extends are removed.

    Raises:
        UsageError: no such suite (the nearest name is suggested), or the file does not fit the schema.
    """
    path = _find(name)
    raw = _resolve(path, seen=())
    try:
        return Suite.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "as a whole"
        raise UsageError(
            f"{path} is not a valid suite: {where}",
            first["msg"].removeprefix("Value error, "),
            f"{plural(error.error_count(), 'error')} in all; compare with {resource_dir('suites') / 'chestxray.yaml'}",
        ) from error


def _find(name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise UsageError(f"no suite file {name}", "the path does not exist", "give a suite name or a file")
        return Path(name)
    if name not in suite_names():
        raise unknown_name("suite", name, suite_names())
    return resource_dir("suites") / f"{name}.yaml"


def _resolve(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in seen:
        raise UsageError(f"{path} extends itself", "the chain of 'extends' comes back to it", "break the circle")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML", str(error).replace("\n", " "), "mend the file") from error
    if not isinstance(raw, dict):
        raise UsageError(f"{path} is not a suite", "it holds no mapping", "see suites/chestxray.yaml")
    for entry in (raw.get("datasets") or {}).values():
        if isinstance(entry, dict) and isinstance(entry.get("file"), str):
            entry["file"] = str((path.parent / entry["file"]).resolve())
    if (base := raw.pop("extends", None)) is None:
        return raw
    beside = path.parent / str(base)
    parent = beside if beside.suffix in (".yaml", ".yml") and beside.is_file() else _find(str(base))
    extended = _resolve(parent, (*seen, path.resolve()))
    if (only := raw.pop("only", None)) is not None:
        extended["datasets"] = _kept(extended.get("datasets") or {}, only, path)
    return _merge(extended, raw)


def _kept(datasets: dict[str, Any], only: Any, path: Path) -> dict[str, Any]:
    if not isinstance(only, list):
        raise UsageError(f"{path}: only is no list", "it names the datasets that are kept", "write only: [nih]")
    for name in only:
        if name not in datasets:
            raise unknown_name("dataset in what is extended:", str(name), datasets)
    return {name: datasets[name] for name in only}


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged

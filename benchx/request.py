"""What is asked of a run: a suite's cells for some methods, narrowed and shared out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from benchx.errors import BenchxError, DataMissing, UsageError, WeightsMissing
from benchx.planning import Cell, is_meant, plan
from benchx.protocols import other_methods, read_protocol
from benchx.suites import Suite, read_suite
from benchx.workspace import Workspace, input_spec

if TYPE_CHECKING:
    from benchx.methods.cards.schema import Card


Name = TypeVar("Name")


@dataclass(frozen=True)
class Request:
    """What is asked of a run: the plan, narrowed, the methods' cards by name, and the datasets named explicitly."""

    suite: Suite
    cells: tuple[Cell, ...]
    cards: dict[str, Card]
    named_datasets: tuple[str, ...]


def request(
    suite: str,
    methods: Sequence[str],
    *,
    datasets: Sequence[str] = (),
    tasks: Sequence[str] = (),
    protocols: Sequence[str] = (),
    fractions: Sequence[float] = (),
    seeds: Sequence[int] = (),
    shard: tuple[int, int] = (1, 1),
) -> Request:
    """Plan the cells of a run.

    Args:
        methods: empty = those of the suite.
        shard: (i, n): the i-th of n parts, 1-based. A frozen protocol's cells of one method and dataset stay
            together, since they share their features.

    Raises:
        UsageError: a name is unknown (the nearest is suggested) or nothing is left.
    """
    from benchx.methods.cards.reading import read_card

    resolved = read_suite(suite)
    named, methods = bool(methods), methods or resolved.methods
    if not methods:
        raise UsageError(
            "no method was named",
            f"a run is of one method or more, and suite '{resolved.name}' names none",
            "give --method NAME",
        )
    cards: dict[str, Card] = {}
    for method in dict.fromkeys(methods):
        card = read_card(method)
        if card.name in cards:
            raise UsageError(f"two cards are named '{card.name}'", "results are told apart by that name", "rename one")
        cards[card.name] = card
    cells = plan(
        resolved,
        list(cards),
        datasets=datasets,
        tasks=tasks,
        protocols=protocols,
        fractions=fractions,
        seeds=seeds,
    )
    if not named:
        cells = [cell for cell in cells if is_meant(cell, resolved)]
    return Request(resolved, tuple(_shard(cells, *shard)), cards, tuple(datasets))


def check_names(asked: Request, workspace: Workspace) -> None:
    """Raise for what was named and does not belong or fit."""
    recipes = [(asked.cards[cell.method], read_protocol(cell.settings["protocol"])) for cell in asked.cells]
    others = {
        name
        for card, recipe in recipes
        for name in other_methods(recipe, sees=card.encoder is not None, fuses=card.fusion is not None)
    }
    for name in sorted(others):
        workspace.card(name)
    for kind, given, known in (
        ("--checkpoint", workspace.checkpoints, set(asked.cards) | others),
        ("--root", workspace.roots, set(asked.suite.datasets)),
    ):
        for name, path in given.items():
            if name not in known:
                names = ", ".join(sorted(known))
                raise UsageError(f"{kind} names '{name}', which this run does not use", f"it uses {names}", "drop it")
            if not path.exists():
                raise UsageError(f"{kind} {name}={path} does not exist", "no such file or folder", "check the path")
    for cell, (card, recipe) in zip(asked.cells, recipes, strict=True):
        if card.input is not None:
            input_spec(card, recipe.input, cell.settings["short_side"])


def check_there(asked: Request, workspace: Workspace) -> None:
    """Raise for a dataset that was named and is missing, and where nothing at all can run."""
    readings = sorted({cell.reading for cell in asked.cells}, key=lambda reading: reading.dataset)
    for reading in readings:
        if reading.dataset in asked.named_datasets:
            workspace.samples(reading)
    _one_of(workspace.samples, readings, DataMissing)
    _one_of(workspace.weights, sorted({cell.method for cell in asked.cells}), WeightsMissing)


def _one_of(find: Callable[[Name], object], names: Sequence[Name], missing: type[BenchxError]) -> None:
    """Raise the first name's error if every name is missing; other faults are states of their cells."""
    errors = []
    for name in names:
        try:
            find(name)
            return
        except missing as error:
            errors.append(error)
        except BenchxError:
            return
    if errors:
        raise errors[0]


def _shard(cells: Sequence[Cell], part: int, parts: int) -> list[Cell]:
    if not 1 <= part <= parts:
        raise UsageError(f"shard {part}/{parts} does not exist", f"parts count from 1 to {parts}", "give --shard 1/2")
    units: dict[object, int] = {}
    for cell in cells:
        units.setdefault(_unit(cell), len(units))
    return [cell for cell in cells if units[_unit(cell)] % parts == part - 1]


def _unit(cell: Cell) -> object:
    together = (cell.method, cell.dataset, cell.protocol)
    return together if cell.settings["protocol"]["kind"] == "frozen" else (*together, cell.fraction, cell.seed)

"""Which columns the prediction tables of each task may have, of what kind, and which of them tell the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from benchx.annotators.chexbert import OBSERVATIONS
from benchx.annotators.rewards import LEVELS
from benchx.metrics.reports.bleu import BLEU_COLUMNS
from benchx.metrics.reports.meteor import METEOR_COLUMNS
from benchx.planning import Cell
from benchx.tasks.few_shot.scores import SHOTS
from benchx.tasks.kinds import FOREGROUND
from benchx.tasks.retrieval.scores import MATCHES, PAIRS, WAYS
from benchx.tasks.segmentation.scores import COUNTS, DISTANCES, LESIONS
from benchx.tasks.vqa.scores import FLAGS
from benchx.tasks.zero_shot.scores import HEAT

Kind = Literal["name", "names", "fold", "number", "label", "value", "count", "code"]
"""What a column holds: an id; ids of other cases, joined by `|`; the fold (int8); a finite number (float32); 0, 1 or
NaN (float32); a number or NaN (float32); a whole number (int64); the number of an answer, or 0 or 1 (int8)."""

CASE: Mapping[str, Kind] = {"sample": "name", "cluster": "name", "fold": "fold"}
"""What every table has."""

GROUP = "group:"
"""How the columns of subgroups begin. Where data is open they go along, and nobody reads them."""


@dataclass(frozen=True)
class Columns:
    """The columns of a task's tables, those of `CASE` included.

    Attributes:
        needed: by name.
        optional: groups of columns of which a table has all or none.
        truth: those that tell what is true of a case. They stay at home where data is not open.
        attested: scores that follow from such columns alone, and that nobody can compute without them: not even who
            has the labels.
        unread: scores that follow from the columns of subgroups, which nobody reads.
    """

    needed: Mapping[str, Kind]
    optional: tuple[Mapping[str, Kind], ...] = ()
    truth: frozenset[str] = field(default_factory=frozenset)
    attested: frozenset[str] = field(default_factory=frozenset)
    unread: frozenset[str] = field(default_factory=frozenset)

    @property
    def kinds(self) -> dict[str, Kind]:
        """Every column that a table may have, and its kind."""
        return dict(chain.from_iterable(part.items() for part in (self.needed, *self.optional)))

    def without_truth(self) -> Columns:
        """Return what is left where data is not open."""
        needed, *optional = (
            {name: kind for name, kind in part.items() if name not in self.truth}
            for part in (self.needed, *self.optional)
        )
        return Columns(needed, tuple(part for part in optional if part), unread=self.unread)


def columns_of(cell: Cell) -> Columns:
    """Return the columns of a cell's table."""
    return COLUMNS[cell.task](classes_of(cell))


def classes_of(cell: Cell) -> tuple[str, ...]:
    """Return the classes that a cell's columns, scores and details are named by."""
    if cell.task == "segmentation" and cell.settings["protocol"]["output"] == "softmax":
        return (FOREGROUND,)
    named = ("classification", "few_shot", "segmentation", "zero_shot")
    return tuple(cell.settings["classes"]) if cell.task in named else ()


def _classification(classes: Sequence[str]) -> Columns:
    labels = _all(classes, {"label": "label"})
    return Columns({**CASE, **_all(classes, {"score": "number"}), **labels}, truth=frozenset(labels))


def _few_shot(classes: Sequence[str]) -> Columns:
    """Placements tell the truth too: only those of negatives are below 0."""
    labels = _all(classes, {"label": "label"})
    optional = tuple(_all(classes, {f"placement:{shots}": "value"}) for shots in SHOTS)
    scores = {f"{mean}auroc_at_{shots}" for mean in ("", "macro_") for shots in SHOTS}
    truth = frozenset(labels).union(*optional)
    return Columns({**CASE, **labels}, optional, truth, frozenset({*scores, "excluded_classes"}))


def _vqa(classes: Sequence[str]) -> Columns:
    """Flags tell no answer, though that of a question that the most frequent one answers can be guessed."""
    return Columns({**CASE, **dict.fromkeys(FLAGS, "code")}, unread=frozenset({"per_kind"}))


def _segmentation(classes: Sequence[str]) -> Columns:
    """Counts stay, since no score follows without them, though they tell whether a class is there."""
    counts: dict[str, Kind] = dict.fromkeys((*COUNTS, *LESIONS), "count")
    distances: dict[str, Kind] = dict.fromkeys((*DISTANCES, "score"), "number")
    labels = _all(classes, {"label": "label"})
    return Columns({**CASE, **_all(classes, {**counts, **distances}), **labels}, truth=frozenset(labels))


def _retrieval(classes: Sequence[str]) -> Columns:
    values: dict[str, Kind] = dict.fromkeys((f"{way}_{name}" for way in WAYS for name in ("rank", *PAIRS)), "value")
    matches: dict[str, Kind] = dict.fromkeys((f"{way}_{name}" for way in WAYS for name in MATCHES), "value")
    return Columns({**CASE, **values, "top": "names"}, (matches,))


def _report_generation(classes: Sequence[str]) -> Columns:
    """What CheXbert reads in a reference is a label of its case; counts of words tell no text."""
    bleu: dict[str, Kind] = dict.fromkeys(BLEU_COLUMNS, "count")
    meteor: dict[str, Kind] = dict.fromkeys(METEOR_COLUMNS, "count")
    references = frozenset(f"chexbert_reference:{name}" for name in OBSERVATIONS)
    read: dict[str, Kind] = dict.fromkeys((f"chexbert_hypothesis:{name}" for name in OBSERVATIONS), "code")
    optional: tuple[Mapping[str, Kind], ...] = (
        {**meteor, "meteor": "number"},
        dict.fromkeys((f"radgraph_{level}" for level in LEVELS), "number"),
        {**read, **dict.fromkeys(sorted(references), "code")},
        _prefixed({**bleu, "rouge_l": "number"}),
        _prefixed(meteor),
    )
    scores = frozenset(f"chexbert_{mean}_{count}" for mean in ("micro", "macro") for count in (5, 14))
    return Columns({**CASE, **bleu, "rouge_l": "number", "cider": "number"}, optional, references, scores)


def _zero_shot(classes: Sequence[str]) -> Columns:
    """Heat maps are compared where there is an outline, so that these columns tell where there is one.

    Tables of earlier versions lack some of these columns.
    """
    plain = _classification(classes)
    later = ("pointing_cell", "heat_ap", "heat_dice", "heat_dice_chosen")
    groups = [[name for name in HEAT.values() if (name in later) == since] for since in (False, True)]
    optional = tuple(_all([name], dict.fromkeys(group, "value")) for name in classes for group in groups)
    return Columns(
        {**plain.needed, **_all(classes, {"call": "label"})},
        optional,
        plain.truth.union(*optional),
        frozenset({*HEAT, "outlined"}),
    )


COLUMNS: Mapping[str, Callable[[Sequence[str]], Columns]] = {
    "classification": _classification,
    "few_shot": _few_shot,
    "segmentation": _segmentation,
    "retrieval": _retrieval,
    "report_generation": _report_generation,
    "vqa": _vqa,
    "zero_shot": _zero_shot,
}
"""From the classes of `classes_of` to a task's columns; see the `scores` of each task for what they mean."""


def _all(classes: Sequence[str], kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    return {f"{column}:{name}": kind for name in classes for column, kind in kinds.items()}


def _prefixed(kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    return {f"cleaned_{name}": kind for name, kind in kinds.items()}

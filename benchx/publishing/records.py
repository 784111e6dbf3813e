"""Check a record by itself: is it the cell that it says, under the key that follows, with values that can be?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import benchx
from benchx.digests import digest_json, digest_lines
from benchx.errors import BenchxError
from benchx.methods.cards.schema import Card
from benchx.planning import Cell, method_digest
from benchx.protocols import other_methods, read_protocol
from benchx.publishing.verdict import shown
from benchx.results.record import Record
from benchx.tasks.few_shot.scores import SHOTS
from benchx.tasks.kinds import KINDS
from benchx.tasks.vqa.scores import MEASURES as ANSWERED
from benchx.tasks.zero_shot.scores import HEAT

CLOCK_TOLERANCE = timedelta(days=1)


def identity_problems(record: Record, folder: str, cell: Cell | None, method: str, data: str) -> list[str]:
    """Return why a record is not the result that its folder and its bundle say.

    Args:
        folder: the key under which it stands.
        cell: the planned cell of the record's cell digest, None where the suite has none.
        method, data: of the manifest.
    """
    found = []
    if cell is None:
        found.append("its cell is none of the suite's for this method")
    elif _asked(record.cell) != json.loads(json.dumps(_asked(asdict(cell)))):
        found.append("its cell is not the one that its cell digest names")
    if record.key != folder:
        found.append(f"it stands under another key than its own, {record.key[:12]}")
    if record.cell["method"] != method or record.card.get("name") != method:
        found.append(f"its cell or its card is not of method {method}")
    provenance = record.provenance
    if provenance.data != data:
        found.append(f"its images are {provenance.data}, those of the bundle {data}")
    if provenance.weights is None or provenance.images is None or provenance.split is None:
        return [*found, "it names no weights, images or split, so that its key cannot be computed"]
    if cell is None:
        return found
    try:
        card = Card.model_validate(record.card)
        if (weights := _weights_read(cell, card, provenance.weights)) is None:
            return found
        numerics = card.numerics()
        expected = cell.key(card=numerics, weights=weights, dataset=provenance.images, split=provenance.split)
        of_method = method_digest(cell.task, numerics, weights)
    except (ValueError, BenchxError) as error:
        return [*found, f"its card does not read: {str(error).partition(chr(10))[0]}"]
    except KeyError:
        return [*found, f"benchx {benchx.__version__} has no task {cell.task}, so that its key cannot be computed"]
    if expected != record.key:
        found.append(
            "its key is not that of its cell, card, weights, dataset and split"
            f" (made by benchx {provenance.benchx}; this is {benchx.__version__}, where {cell.task} has numerics"
            f" version {KINDS[cell.task].numerics})"
        )
    if of_method != provenance.method:
        found.append("the digest of its method is not that of its card and weights")
    return found


def has_unknown_key(record: Record, cell: Cell) -> bool:
    """Whether the key of a record cannot be computed, because its text side has weights of its own, or another method
    takes part: no digest of their files is in a record."""
    try:
        return _weights_read(cell, Card.model_validate(record.card), "") is None
    except ValueError:
        return False


def _weights_read(cell: Cell, card: Card, checkpoint: str) -> str | None:
    """Return the digest of the weights that enter a key, None where it cannot be told.

    See `benchx.workspace.Workspace.weights_digest`: where text is read also of how the text side is built.
    """
    protocol = read_protocol(cell.settings["protocol"])
    if other_methods(protocol, sees=card.encoder is not None, fuses=card.fusion is not None):
        return None
    if not cell.reads_text:
        return checkpoint
    if card.text is not None and card.text.weights is not None:
        return None
    return digest_lines([checkpoint, digest_json(card.text_numerics())])


def record_bytes(record: Record) -> bytes:
    """Return the one form in which a bundle holds a record."""
    return _json_bytes(record.model_dump(mode="json"))


def is_canonical(content: bytes) -> bool:
    """Whether a record's file is written as `record_bytes` writes one: every key once, every number finite.

    Fields that another version of benchx knows are no matter of form.
    """
    try:
        return _json_bytes(json.loads(content)) == content
    except (ValueError, RecursionError):
        return False


def value_problems(record: Record, has_table: bool, now: datetime | None = None) -> list[str]:
    """Return which values of a record cannot be.

    Args:
        has_table: whether predictions stand beside it.
        now: the time of the check; None = the clock's.
    """
    found = []
    if record.state not in ("done", "not-applicable"):
        found.append(f"its state is {record.state}, and only finished cells are published")
    done = record.state == "done"
    if (
        done != has_table
        or done != (record.scores is not None)
        or (record.state == "not-applicable") == (not record.reason)
    ):
        found.append(f"state {record.state} does not go with its scores, predictions or reason")
    provenance = record.provenance
    numbers = {
        "number of unreadable images": provenance.unreadable,
        "number of shared units": provenance.shared_units,
        "number of threads": provenance.threads - 1,
    }
    found += [f"its {name} cannot be" for name, value in numbers.items() if not (_finite(value) and value >= 0)]
    if datetime.fromisoformat(provenance.created) > (now or datetime.now(UTC)) + CLOCK_TOLERANCE:
        found.append("it was made in the future")
    for path, value in _numbers(record.scores or {}, "scores"):
        if not _finite(value):
            found.append(f"{path} is no finite number")
        elif path.rpartition(".")[2] in _SHARES and not 0 <= value <= 1:
            found.append(f"{path} is {shown(value)}, outside 0 to 1")
        elif path.rpartition(".")[2] in _COUNTS and (value < 0 or value != int(value)):
            found.append(f"{path} is {shown(value)}, which is no count")
    return found


_SHARES = frozenset(
    {"auroc", "auprc", "f1", "accuracy", "macro_auroc", "macro_auprc", "macro_f1", "macro_accuracy", "top_1"}
    | {name for name in HEAT if name != "heat_cnr"}
    | {f"auroc_at_{shots}" for shots in SHOTS}
    | set(ANSWERED)
    | {f"chexbert_{mean}_{count}" for mean in ("micro", "macro") for count in (5, 14)}
    | {primary for kind in KINDS.values() for primary in kind.primaries}
)
_COUNTS = ("n", "positives", "negatives", "outlined", "i2t_queries", "t2i_queries")


def _json_bytes(value: Any) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def _asked(cell: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a cell that its digest is over."""
    names = ("suite", "suite_version", "protocol", "primary")
    return {name: value for name, value in cell.items() if name not in names}


def _finite(value: float) -> bool:
    """Whether a number of a JSON file is finite and no integer beyond all floats."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _numbers(tree: Any, path: str) -> Iterator[tuple[str, float]]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _numbers(value, f"{path}.{name}")
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _numbers(value, f"{path}.{index}")
    elif isinstance(tree, int | float) and not isinstance(tree, bool):
        yield path, tree

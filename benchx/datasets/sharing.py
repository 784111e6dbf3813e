"""Which datasets share images with which, and so what a method's pretraining may have seen of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from benchx.datasets import DATASETS


def sharing_images(name: str) -> set[str]:
    """Return the datasets that share images with one, by a declared overlap of either or by family."""
    dataset = DATASETS[name]
    named = {overlap.dataset for overlap in dataset.overlaps}
    naming = {one.name for one in DATASETS.values() if name in {overlap.dataset for overlap in one.overlaps}}
    family = {one.name for one in DATASETS.values() if one.family == dataset.family}
    return (named | naming | family) - {name}


def seen_of(name: str, exposure: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """Return what a pretraining saw of a dataset, in words.

    Args:
        exposure: of a method card, mappings with `dataset` and `what` (images, reports or labels).

    Returns:
        What was seen of the dataset itself, else `via X` for every dataset X that was seen and shares images with it.
    """
    seen: dict[str, list[str]] = {}
    for one in exposure:
        seen.setdefault(one["dataset"], []).append(one["what"])
    if name in seen:
        return tuple(seen[name])
    shared = sharing_images(name) if name in DATASETS else set()
    return tuple(f"via {other}" for other in sorted(shared & set(seen)))

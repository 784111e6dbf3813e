"""Do the cells of a bundle speak of one version of every dataset?"""

from __future__ import annotations

from collections import Counter, defaultdict

from benchx.publishing.opening import Opened
from benchx.publishing.verdict import Finding, counted
from benchx.results.record import Provenance


def disagreements(opened: Opened) -> list[Finding]:
    """Check that the cells of a dataset agree on its data and split, and that none is there twice.

    Images left out as unreadable are always a warning: which they were, and whether they could not be read, cannot be
    seen in a bundle.
    """
    by_dataset: dict[str, list[Provenance]] = defaultdict(list)
    by_content: dict[tuple[str, bool, bool], set[str | None]] = defaultdict(set)
    for record in opened.records.values():
        if cell := opened.planned.get(record.cell_digest):
            by_dataset[cell.dataset].append(record.provenance)
            by_content[cell.content].add(record.provenance.images)
    found = []
    for name, all_of in by_dataset.items():
        splits = {(one.split, one.unit) for one in all_of}
        versions = max(len(splits), *(len(found) for (dataset, *_), found in by_content.items() if dataset == name))
        if versions > 1:
            what = f"its cells are on {versions} versions of data or split"
            found.append(Finding("error", "split", name, what))
        unreadable = {one.unreadable for one in all_of}
        if len(unreadable) > 1:
            what = "its cells do not agree on how many images were left out as unreadable"
            found.append(Finding("error", "unreadable", name, what))
        if most := max(unreadable):
            what = f"{counted(most, 'image')} left out as unreadable: a person has to judge that"
            found.append(Finding("warning", "unreadable", name, what))
    counts = Counter(record.cell_digest for record in opened.records.values())
    return found + [
        Finding("error", "record", opened.planned[digest].label, f"{count} results of one cell")
        for digest, count in counts.items()
        if count > 1 and digest in opened.planned
    ]

"""Pictures that are unlike a radiograph as it should be: constant, tiny, negative, padded, or never looked at."""

from __future__ import annotations

import numpy as np

from benchx.datasets.audit.audited import Audited
from benchx.datasets.audit.findings import Finding, list_of
from benchx.datasets.audit.looking import CONSTANT, Looks
from benchx.datasets.audit.polarity import LEAST

TINY = 64
"""Short side of the file, pixels, below which a picture is remarked: less than any encoder is fed."""

PADDED = 0.05
"""Share of the height or width that uniform borders take, from which a picture is remarked."""


def odd_pictures(audited: Audited, looks: Looks) -> list[Finding]:
    """Find constant pictures (a problem), and remark tiny, negative or upside-down, padded and absent ones."""
    ids, names = audited.ids[looks.rows], (audited.name,)
    constant = np.array([look.deviation < CONSTANT for look in looks.each], bool)
    tiny = looks.original_shapes.min(axis=1, initial=TINY) < TINY
    negative = np.array([look.polarity < LEAST for look in looks.each], bool)
    borders = {str(sample): look.borders for sample, look in zip(ids[~constant], _kept(looks, ~constant), strict=True)}
    padded = {sample: sides for sample, sides in borders.items() if max(sum(sides[:2]), sum(sides[2:])) >= PADDED}
    amounts = {
        sample: dict(zip(("top", "bottom", "left", "right"), (round(side, 3) for side in sides), strict=True))
        for sample, sides in padded.items()
    }
    unseen = np.setdiff1d(np.arange(len(audited.ids)), looks.rows)
    return [
        *list_of("constant pictures", "problem", names, ids[constant].tolist()),
        *list_of("tiny pictures", "remark", names, ids[tiny].tolist()),
        *list_of("negative or upside-down pictures", "remark", names, ids[negative & ~constant].tolist()),
        *list_of("padded pictures", "remark", names, list(padded), borders=amounts),
        *list_of("images not looked at", "remark", names, audited.ids[unseen].tolist()),
    ]


def _kept(looks: Looks, chosen: np.ndarray) -> list:
    return [look for look, keep in zip(looks.each, chosen, strict=True) if keep]

"""One method in one column of a board: its score, its rank, and what both rest on."""

from __future__ import annotations

from dataclasses import dataclass

from benchx.metrics.calibration import Bin
from benchx.statistics.variance import Estimate


@dataclass(frozen=True)
class Draw:
    """One finished cell: a row of the store.

    Attributes:
        name: the seed, or `deterministic`.
        wall_seconds: of the cell; the first of a method and dataset pays for their features.
    """

    name: str
    score: float
    key: str
    created: str
    benchx: str
    commit: str | None
    device: str
    precision: str | None
    wall_seconds: float
    peak_memory_bytes: int


@dataclass(frozen=True)
class Part:
    """The primary metric on a part of a column: one class, or the cases of one subgroup.

    Attributes:
        name: of the class, or `sex: female`.
        cases: of a class its positives, of a subgroup its cases.
        score: None where it cannot be given, with the reason.
    """

    name: str
    cases: int
    score: Estimate | None
    reason: str | None = None


@dataclass(frozen=True)
class Gap:
    """The largest difference between two subgroups of one attribute.

    Attributes:
        attribute: `sex`, `age` or `view`.
        p_adjusted: by Holm over all pairs of the attribute's subgroups.
        classes: those that every compared subgroup can be scored on; all its scores are means over these.
    """

    attribute: str
    high: str
    low: str
    difference: Estimate
    p_adjusted: float
    classes: tuple[str, ...]


@dataclass(frozen=True)
class OperatingPoint:
    """Sensitivity where a threshold from held-out cases aimed at a specificity; means over classes and draws.

    Attributes:
        target: specificity aimed at.
        specificity: reached on the test cases.
        classes: how many classes had a threshold.
    """

    target: float
    sensitivity: float
    specificity: float
    classes: int


@dataclass(frozen=True)
class Rank:
    """A method's rank in a column, over bootstrap replicates.

    Attributes:
        low, high: 95 % interval.
        probabilities: of rank 1, 2, ..., M.
        best: probability of rank 1, ties shared.
    """

    low: int
    high: int
    probabilities: tuple[float, ...]
    best: float


@dataclass(frozen=True)
class Row:
    """One method in one column.

    Attributes:
        score: mean over draws with its interval.
        draws: in the order of their seeds.
        planned_draws: how many the suite asks for.
        next_draw: half-width of the interval that one more draw would give; None where nothing is drawn, or
            one draw does not tell.
        letters: compact letter display; methods that share a letter are not told apart. Empty with one method.
        contaminated: what of this dataset the method's pretraining saw, in words; empty if nothing is known.
        certificate: commit of the official code that the method's outputs were compared with; None without one.
        secondary: other scores by name, means over draws: `macro_auprc`, `brier`, `ece`.
        reliability: of the first draw, all classes together.
        untrained: classes that had no positive or no negative among the training cases of some draw.
        unreadable: images left out because they could not be read.
        transductive: whether a case's scores depend on the other test cases.
        searches: that chose the settings, one per draw and fold; 0 where nothing was searched.
        trials: of each.
        late_trials: searches whose best validation score came in the last third of the trials.
    """

    method: str
    score: Estimate
    draws: tuple[Draw, ...]
    planned_draws: int
    next_draw: float | None
    letters: str
    rank: Rank
    contaminated: tuple[str, ...]
    certificate: str | None
    secondary: dict[str, float]
    classes: tuple[Part, ...]
    subgroups: tuple[Part, ...]
    gaps: tuple[Gap, ...]
    reliability: tuple[Bin, ...]
    operating_points: tuple[OperatingPoint, ...]
    untrained: tuple[str, ...]
    unreadable: int
    transductive: bool = False
    searches: int = 0
    trials: int = 0
    late_trials: int = 0

    @property
    def wall_seconds(self) -> float:
        """Of all draws together."""
        return sum(draw.wall_seconds for draw in self.draws)

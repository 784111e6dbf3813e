"""What a leaderboard is: columns of tested scores, standings across them, and what both rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchx.reporting.rows import Row
from benchx.statistics.discriminability import Discriminability
from benchx.statistics.variance import Estimate

SCHEMA_VERSION = 3

Correction = Literal["holm", "benjamini-hochberg"]
Family = Literal["column", "board"]
CORRECTIONS: tuple[Correction, ...] = ("holm", "benjamini-hochberg")
FAMILIES: tuple[Family, ...] = ("column", "board")
Origin = Literal["paper", "authors-code"]
"""Who measured a published score: the paper itself, or others with its authors' code."""

Drawn = Literal["nothing", "subset", "training", "subset and training"]
"""What differs between the draws of a cell: the labelled subset, order and augmentation, both, or nothing."""


@dataclass(frozen=True)
class Pair:
    """Two methods of a column on the same cases: a minus b, a being the better one.

    Attributes:
        p_adjusted: corrected within the board's family.
        different: whether p_adjusted is at most 1 - level.
        equivalent: whether two one-sided tests place the difference within the margin; None without a margin.
    """

    a: str
    b: str
    difference: Estimate
    p_adjusted: float
    different: bool
    equivalent: bool | None


PUBLISHED_SEEDS = 3
"""Behind a published score whose std is known, as in all sources so far; their std divides by 3, not by 2."""


@dataclass(frozen=True)
class Published:
    """A score that somebody published, not run here.

    Attributes:
        value, std: in the metric's own unit, [0, 1] for areas; std over seeds, None where not published.
        source: where it stands.
        note: what keeps it from being compared with its neighbours; empty where nothing is known.
    """

    method: str
    origin: Origin
    value: float
    std: float | None
    source: str
    note: str = ""

    @property
    def cited(self) -> str:
        """Its source, with the note where there is one."""
        return f"{self.source} ({self.note})" if self.note else self.source


@dataclass(frozen=True)
class Column:
    """One dataset, task, protocol and label fraction.

    Attributes:
        family: where the dataset's images come from; columns of one family count once across datasets.
        drawn: what differs between draws.
        unit: what the intervals resample.
        cases, units: size of the test set; of a mean over cases, those that have a value.
        excluded: classes that could not be scored, with the reason.
        shared_units: units that the published split has in two of its parts.
        redrawn: replicates that lacked a value of a class at first.
        images, split: digests; every row of the column has both.
        rows: best first.
        pairs: every two methods, in the order of the rows.
        discriminability: None with fewer than two methods.
        absent: methods without a result here, with the reason.
        published: scores of papers for the same dataset, task, kind of protocol, metric and fraction; none beside
            phantom results.
    """

    dataset: str
    family: str
    task: str
    protocol: str
    fraction: float
    split_kind: str
    primary: str
    drawn: Drawn
    unit: str
    cases: int
    units: int
    excluded: dict[str, str]
    shared_units: int
    redrawn: int
    images: str
    split: str
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    discriminability: Discriminability | None
    absent: dict[str, str]
    published: tuple[Published, ...]

    @property
    def name(self) -> str:
        """The column in words."""
        return column_name(self.dataset, self.task, self.protocol, self.fraction)

    @property
    def is_blind(self) -> bool:
        """Whether the test set cannot separate the methods."""
        return self.discriminability is not None and self.discriminability.verdict == "cannot"

    def against(self, published: Published) -> tuple[float, float] | None:
        """Return by how much a method's score here exceeds its published one, and that in units of its uncertainty.

        The uncertainty is the root of the squared standard errors of both: of the score here, over patients and draws,
        and of the published mean, over its seeds, where a std was printed. That both are on the same patients is not
        taken off, so the second number is rather too small. None where the method has no result here, or no error.
        """
        row = self.row(published.method)
        if row is None:
            return None
        of_seeds = 0.0 if published.std is None else published.std**2 / (PUBLISHED_SEEDS - 1)
        error = (row.score.se**2 + of_seeds) ** 0.5
        gap = row.score.value - published.value
        return (gap, gap / error) if error > 0 else None

    def row(self, method: str) -> Row | None:
        """Return a method's row, or None."""
        return next((row for row in self.rows if row.method == method), None)


@dataclass(frozen=True)
class Place:
    """One method across the columns of a standing.

    Attributes:
        mean_rank: over blocks; low, high: 95 % interval over bootstrap replicates of the test cases.
        best: probability of the best mean rank.
        iqm: interquartile mean over blocks of the difference of its scores from their column's mean over the
            methods compared, with iqm_low and iqm_high by stratified bootstrap over draws; None where the columns have
            several metrics, whose differences have no common unit.
        letters: methods that share one are not told apart by Nemenyi's test; empty with one block.
        wins, ties, losses: against every other method in every column, by the columns' corrected tests.
    """

    method: str
    mean_rank: float
    low: float
    high: float
    best: float
    iqm: float | None
    iqm_low: float | None
    iqm_high: float | None
    letters: str
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True)
class Friedman:
    """Friedman's test over blocks, with the F of Iman and Davenport: None where all blocks rank alike."""

    chi2: float
    chi2_p: float
    f: float | None
    f_p: float


@dataclass(frozen=True)
class Scenario:
    """What the mean ranks would be if something else had been done; methods that drop out are not in `ranks`.

    Attributes:
        kind: `as run`, `without a dataset`, `other metric`, `one draw`, `smaller search` or
            `without contaminated methods`.
        name: which one, in words.
    """

    kind: str
    name: str
    ranks: dict[str, float]


@dataclass(frozen=True)
class Standing:
    """The methods of one task and protocol across its columns.

    Attributes:
        columns: names of the columns it compares, in the board's order.
        blocks: the families of datasets, each of which counts once: its columns' ranks are averaged.
        places: methods with a result in every column, best mean rank first.
        left_out: methods that lack a column, with what they lack; they are not ranked.
        critical_difference: Nemenyi's, of mean ranks, at 1 - level; None with fewer than two blocks.
        cliques: groups of methods whose mean ranks lie within it.
        signed_rank: what the Wilcoxon-Holm tests over blocks can say, in words.
        false_wins: bound on the expected number of columns with any false win if all methods were equal.
        scenarios: the first is the ranking as run.
    """

    task: str
    protocol: str
    columns: tuple[str, ...]
    blocks: tuple[str, ...]
    places: tuple[Place, ...]
    left_out: dict[str, tuple[str, ...]]
    friedman: Friedman | None
    critical_difference: float | None
    cliques: tuple[tuple[str, ...], ...]
    signed_rank: str
    false_wins: float
    scenarios: tuple[Scenario, ...]


@dataclass(frozen=True)
class Method:
    """What a board says of a method beside its scores.

    Attributes:
        signal, supervision: of `benchx.methods.cards.tags`, as the newest record's card has them; empty without tags.
    """

    name: str
    title: str
    paper: str
    licence: str
    weights: str | None
    signal: tuple[str, ...] = ()
    supervision: tuple[str, ...] = ()


@dataclass(frozen=True)
class Board:
    """The results of a suite.

    Attributes:
        data: `real` or `phantom`, never both.
        newest: when the newest result on the board was made.
        replicates: bootstrap draws of the test cases' units.
        family: within which p values are corrected.
        margin: of equivalence; None where not asked for.
        baseline: the method that differences are drawn against.
        empty: columns of the suite without any result.
        notes: what a reader should know of the stores: results left out, and why.
    """

    suite: str
    version: int
    description: str
    data: Literal["real", "phantom"]
    newest: str
    level: float
    replicates: int
    correction: Correction
    family: Family
    margin: float | None
    baseline: str
    methods: tuple[Method, ...]
    columns: tuple[Column, ...]
    standings: tuple[Standing, ...]
    empty: tuple[str, ...]
    notes: tuple[str, ...]


def column_name(dataset: str, task: str, protocol: str, fraction: float) -> str:
    """Name a column in words."""
    return f"{dataset} / {task} / {protocol} / {100 * fraction:g} %"

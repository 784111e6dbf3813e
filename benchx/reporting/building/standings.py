"""The methods of one task and protocol across its columns: mean ranks, tests over datasets, tie groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchx.reporting.board import Column, Friedman, Place, Standing
from benchx.reporting.building.columns import Assessed
from benchx.reporting.building.families import Scores
from benchx.reporting.building.scenarios import scenarios
from benchx.statistics.aggregation import (
    Aggregate,
    WinTieLoss,
    block_order,
    complete_case,
    family_blocks,
    stratified_iqm,
    win_tie_loss,
)
from benchx.statistics.letters import compact_letters
from benchx.statistics.multiplicity import first_threshold
from benchx.statistics.ranking import (
    bootstrap_ranks,
    cliques,
    critical_difference,
    friedman,
    nemenyi,
    ranks,
    wilcoxon_holm,
)
from benchx.words import plural


def build_standings(columns: Sequence[Column], assessed: Sequence[Assessed], level: float) -> tuple[Standing, ...]:
    """Build the standing of every task and protocol that two methods or more share."""
    groups: dict[tuple[str, str], list[int]] = {}
    for place, column in enumerate(columns):
        groups.setdefault((column.task, column.protocol), []).append(place)
    built = [
        _standing([columns[i] for i in places], [assessed[i] for i in places], level) for places in groups.values()
    ]
    return tuple(standing for standing in built if standing is not None)


def _standing(columns: Sequence[Column], assessed: Sequence[Assessed], level: float) -> Standing | None:
    methods = sorted({row.method for column in columns for row in column.rows})
    if len(methods) < 2:
        return None
    complete = complete_case(np.array([[column.row(method) is not None for method in methods] for column in columns]))
    kept = [methods[place] for place in complete.kept]
    families = [column.family for column in columns]
    empty = Standing(
        task=columns[0].task,
        protocol=columns[0].protocol,
        columns=tuple(column.name for column in columns),
        blocks=tuple(dict.fromkeys(families)),
        places=(),
        left_out={methods[i]: tuple(columns[n].name for n in lacking) for i, lacking in complete.missing.items()},
        friedman=None,
        critical_difference=None,
        cliques=(),
        signed_rank="fewer than two methods have a result in every column, so none are ranked",
        false_wins=0.0,
        scenarios=(),
    )
    if len(kept) < 2:
        return empty
    by_method = [{one.method: one for one in each.scores} for each in assessed]
    order = block_order(ranks(np.array([[some[m].estimate.value for m in kept] for some in by_method])), families)
    places, groups, false_wins = _places(columns, assessed, by_method, kept, families, order, level)
    several = len(order) > 1
    return replace(
        empty,
        places=places,
        friedman=_friedman(order) if several else None,
        critical_difference=critical_difference(len(kept), len(order), 1 - level) if several else None,
        cliques=groups,
        signed_rank=_signed_rank(_centred(by_method, kept, families), kept, 1 - level)
        if _one_metric(columns)
        else "Wilcoxon signed-rank tests over blocks are not made: the columns have several metrics",
        false_wins=false_wins,
        scenarios=scenarios(columns, assessed, kept),
    )


def _places(
    columns: Sequence[Column],
    assessed: Sequence[Assessed],
    by_method: Sequence[Mapping[str, Scores]],
    kept: Sequence[str],
    families: list[str],
    order: np.ndarray,
    level: float,
) -> tuple[tuple[Place, ...], tuple[tuple[str, ...], ...], float]:
    """Return the methods' places, best first, the groups that Nemenyi's test joins, and the bound on false wins."""
    alpha, mean_ranks = 1 - level, order.mean(axis=0)
    best_first = np.argsort(mean_ranks, kind="stable")
    shown, groups = dict.fromkeys(kept, ""), []
    if len(order) > 1:
        different = nemenyi(mean_ranks, len(order)) <= alpha
        shown = compact_letters([kept[i] for i in best_first], different[np.ix_(best_first, best_first)])
        groups = cliques(mean_ranks, critical_difference(len(kept), len(order), alpha))
    replicated = _replicated(assessed, kept, families)
    best = bootstrap_ranks(-replicated, level).best
    low, high = np.quantile(replicated, [alpha / 2, 1 - alpha / 2], axis=0)
    counts = _counts(columns, kept, alpha)
    one_metric = _one_metric(columns)
    middle = [_iqm(by_method, method, kept, families, level) if one_metric else None for method in kept]
    places = tuple(
        Place(
            method=kept[i],
            mean_rank=float(mean_ranks[i]),
            low=float(low[i]),
            high=float(high[i]),
            best=float(best[i]),
            iqm=None if (found := middle[i]) is None else found.value,
            iqm_low=None if found is None else found.low,
            iqm_high=None if found is None else found.high,
            letters=shown[kept[i]],
            wins=int(counts.wins[i]),
            ties=int(counts.ties[i]),
            losses=int(counts.losses[i]),
        )
        for i in best_first
    )
    return places, tuple(tuple(kept[i] for i in group) for group in groups), counts.expected_false


def _one_metric(columns: Sequence[Column]) -> bool:
    """Whether differences of all columns are in one unit; ranks need none."""
    return len({column.primary for column in columns}) == 1


def _replicated(assessed: Sequence[Assessed], kept: Sequence[str], families: list[str]) -> np.ndarray:
    """Return the mean ranks [R, M] over bootstrap replicates of every column's test cases and draws."""
    ranked = []
    for each in assessed:
        place = {one.method: number for number, one in enumerate(each.scores)}
        ranked.append(ranks(each.ranked[:, [place[method] for method in kept]]))
    blocks = [np.mean([ranked[i] for i in block], axis=0) for block in family_blocks(families)]
    return np.mean([ranks(-block) for block in blocks], axis=0)


def _friedman(order: np.ndarray) -> Friedman:
    """Test the blocks' ranks; where every block ranks alike F has no finite value, and its p is exact."""
    found = friedman(-order)
    return Friedman(found.chi2, found.chi2_p, found.f if np.isfinite(found.f) else None, found.f_p)


def _centred(by_method: Sequence[Mapping[str, Scores]], kept: Sequence[str], families: list[str]) -> np.ndarray:
    """Return the methods' scores [B, M] as differences from their columns' means, averaged within every block."""
    scores = np.array([[some[method].estimate.value for method in kept] for some in by_method])
    centred = scores - scores.mean(axis=1, keepdims=True)
    return np.stack([centred[block].mean(axis=0) for block in family_blocks(families)])


def _signed_rank(scores: np.ndarray, methods: Sequence[str], alpha: float) -> str:
    """Say in words what Wilcoxon's tests over blocks, corrected by Holm, can tell."""
    found = wilcoxon_holm(scores, alpha)
    if not found.decides:
        pairs = len(methods) * (len(methods) - 1) // 2
        return (
            f"Wilcoxon signed-rank tests over {plural(len(scores), 'block')} cannot decide: "
            "the smallest p is "
            f"{found.smallest_p:.3g} and the first threshold of Holm over {pairs} pairs "
            f"{first_threshold(pairs, alpha):.3g} (needs {found.needed_blocks} blocks or more)"
        )
    told = [
        f"{methods[a]} and {methods[b]} (p = {found.p[a, b]:.3g})"
        for a in range(len(methods))
        for b in range(a + 1, len(methods))
        if found.p[a, b] <= alpha
    ]
    return "Wilcoxon signed-rank tests over blocks, Holm: " + (
        "tell apart " + "; ".join(told) if told else "tell no two methods apart"
    )


def _counts(columns: Sequence[Column], kept: Sequence[str], alpha: float) -> WinTieLoss:
    place = {method: number for number, method in enumerate(kept)}
    value = np.zeros((len(columns), len(kept), len(kept)))
    p = np.ones_like(value)
    for number, column in enumerate(columns):
        for pair in column.pairs:
            if pair.a in place and pair.b in place:
                a, b = place[pair.a], place[pair.b]
                value[number, a, b], value[number, b, a] = pair.difference.value, -pair.difference.value
                p[number, a, b] = p[number, b, a] = pair.p_adjusted
    return win_tie_loss(value, p, alpha)


def _iqm(
    by_method: Sequence[Mapping[str, Scores]], method: str, kept: Sequence[str], families: list[str], level: float
) -> Aggregate:
    """Aggregate a method's scores as differences from their columns' means; the columns of a block share its weight."""
    centred = [some[method].scores - np.mean([some[m].estimate.value for m in kept]) for some in by_method]
    return stratified_iqm(centred, [1 / families.count(family) for family in families], level=level)

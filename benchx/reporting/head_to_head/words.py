"""A head-to-head in words: the rows of its tables, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence

from benchx.reporting.head_to_head.contest import FEW_UNITS, Cell, HeadToHead, Pair, Prompts
from benchx.reporting.wording import interval, number, percent
from benchx.statistics.win_tie_loss import Rates
from benchx.words import plural

SEEN = "†"
SHARED = "§"


def cell_rows(pair: Pair) -> list[dict[str, str]]:
    """Return the rows of a pair's table, one per cell."""
    searched = any(side.prompts for cell in pair.cells for side in (cell.adapted, cell.base))
    return [_cell_row(cell, searched) for cell in pair.cells]


def rate_rows(found: HeadToHead) -> list[dict[str, str]]:
    """Return the rates of every pair and their means, without correction, after it, and as expected of no difference.

    Holm's correction bounds the probability of any false win or loss in a pair, not a rate, so none is expected of it.
    """
    chance = Rates(found.false_rate, 1 - 2 * found.false_rate, found.false_rate, found.rates.cells)
    rows = []
    for pair in found.pairs:
        rows += [_rate_row(pair.name, "none", pair.rates), _rate_row(pair.name, "Holm", pair.corrected)]
    if len(found.pairs) > 1:
        rows += [_rate_row("mean of pairs", "none", found.rates), _rate_row("mean of pairs", "Holm", found.corrected)]
    return [*rows, _rate_row("expected of equal methods", "none", chance)]


def rules(found: HeadToHead) -> tuple[str, ...]:
    """Say what the tables rest on, one sentence group each."""
    alpha = 1 - found.level
    return (
        "Adapted - base on the same test cases; scores are averaged over draws (seeds), which are held fixed: a "
        "verdict is about these trained models on other patients, not about the methods trained again.",
        f"Intervals hold {percent(found.level)} of {found.replicates} bootstrap replicates (percentiles), in which "
        "whole patients, studies or images are drawn, with all their cases. Win: the interval lies above 0; loss: "
        "below; else tie. p: one minus the largest level whose interval leaves out 0, "
        f"at least {found.smallest_p:.1g}.",
        f"Of equal methods {percent(round(found.false_rate, 6))} of the cells are expected as wins and as many as "
        f"losses: about {found.rates.cells * alpha:.2g} of {plural(found.rates.cells, 'cell')} in all. After "
        "Holm's correction over the cells of a pair, the probability of any false win or loss in the pair is at most "
        f"{percent(round(alpha, 6))}.",
        "Rates of a pair are means over datasets, each of which counts once; over pairs, each pair counts once. "
        "Columns of one dataset, task and label fraction in which both methods have the same predictions are one cell.",
        f"{SEEN} marks cells where the pretraining of either method, or of another that its protocol used, saw "
        "something of the dataset.",
        _shared(found),
        *_few(found),
        *_out_of_reach(found),
    )


def prompts_text(prompts: Sequence[Prompts]) -> str:
    """Write which prompt sets were chosen: `pairs/1 (0.712)`, the score being the validation's."""
    return ", ".join(
        f"{one.chosen} ({'none' if one.validation is None else number(one.validation)})" for one in prompts
    )


def seen_text(cell: Cell) -> str:
    """Say what of the dataset the two pretrainings saw; empty where nothing is known."""
    sides = (("adapted", cell.adapted.saw), ("base", cell.base.saw))
    return "; ".join(f"{name} saw {', '.join(saw)}" for name, saw in sides if saw)


def _cell_row(cell: Cell, searched: bool) -> dict[str, str]:
    row = {
        "cell": cell.name + f" {SEEN}" * cell.is_seen + f" {SHARED}" * (cell.shared_units > 0),
        "metric": cell.metric,
        "adapted": number(cell.adapted.score),
        "base": number(cell.base.score),
        "adapted - base": interval(cell.difference, cell.low, cell.high, signed=True),
        "p": _p(cell.p_value),
        "p (Holm)": _p(cell.p_adjusted),
        "verdict": cell.verdict,
        "after Holm": cell.corrected,
        "cases": str(cell.cases),
        "clusters": f"{cell.units} {cell.unit}",
    }
    if searched:
        row["prompts of adapted"] = prompts_text(cell.adapted.prompts)
        row["prompts of base"] = prompts_text(cell.base.prompts)
    return row


def _rate_row(name: str, correction: str, rates: Rates) -> dict[str, str]:
    shares = {one: f"{100 * getattr(rates, one):.1f} %" for one in ("win", "tie", "loss")}
    return {"pair": name, "correction": correction, **shares, "cells": str(rates.cells)}


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _shared(found: HeadToHead) -> str:
    cells = [cell for pair in found.pairs for cell in pair.cells if cell.shared_units]
    told = dict.fromkeys(f"{cell.name} ({cell.shared_units} of its {cell.unit})" for cell in cells)
    return f"{SHARED} marks cells of a split that has patients, studies or images in two of its parts" + (
        f": {', '.join(told)}." if told else "."
    )


def _few(found: HeadToHead) -> tuple[str, ...]:
    names = dict.fromkeys(cell.name for pair in found.pairs for cell in pair.cells if cell.units < FEW_UNITS)
    if not names:
        return ()
    return (
        f"Fewer than {FEW_UNITS} units are resampled in {', '.join(names)}: percentile intervals of so few are too "
        "narrow, and false wins and losses more frequent than said.",
    )


def _out_of_reach(found: HeadToHead) -> tuple[str, ...]:
    return tuple(
        f"{pair.name}: over {plural(len(pair.cells), 'cell')} no first p value can pass Holm's correction, since "
        f"{found.replicates} replicates show none below {found.smallest_p:.1g}."
        for pair in found.pairs
        if found.smallest_p * len(pair.cells) > 1 - found.level
    )

"""The Markdown of a standing: methods across datasets, what was tested, and what would change it."""

from __future__ import annotations

from benchx.reporting.board import Friedman, Place, Scenario, Standing
from benchx.reporting.markdown_text import bullets, escape, table
from benchx.reporting.wording import interval, number, p_value, percent
from benchx.words import plural

SCENARIO_METHODS = 5
"""How many methods of a scenario are named."""


def standing_parts(standing: Standing, level: float) -> list[str]:
    """Return the paragraphs of a standing."""
    parts = ["### Standing", _places(standing, level) if standing.places else "No method has a result in every column."]
    parts.append(bullets(_tests(standing, level)))
    if len(standing.scenarios) > 1:
        parts += ["What if: the order by mean rank, best first.", _scenarios(standing.scenarios)]
    return parts


def _places(standing: Standing, level: float) -> str:
    share = percent(level)
    rows = [
        [
            str(position),
            escape(place.method),
            interval(place.mean_rank, place.low, place.high, digits=2),
            f"{place.best:.2f}",
            _iqm(place),
            escape(place.letters),
            f"{place.wins} / {place.ties} / {place.losses}",
        ]
        for position, place in enumerate(standing.places, start=1)
    ]
    headers = ["", "method", f"mean rank [{share}]", "P(best)", f"IQM [{share}]", "letters", "wins / ties / losses"]
    return table(headers, rows)


def _iqm(place: Place) -> str:
    if place.iqm is None or place.iqm_low is None or place.iqm_high is None:
        return "none"
    return interval(place.iqm, place.iqm_low, place.iqm_high)


def _tests(standing: Standing, level: float) -> list[str]:
    """Say what was compared, what the tests found, and what was left out."""
    columns, blocks = len(standing.columns), len(standing.blocks)
    lines = [
        f"Compared: {plural(columns, 'column')} in {plural(blocks, 'block')} "
        f"({', '.join(map(escape, standing.blocks))}); datasets of one source are one block.",
        _friedman(standing.friedman, blocks, 1 - level),
    ]
    if standing.critical_difference is None:
        lines.append(f"Critical difference: none with {plural(blocks, 'block')}, so there are no letters.")
    else:
        lines.append(
            f"Critical difference of mean ranks (Nemenyi, {1 - level:.2g}): {standing.critical_difference:.2f}; "
            "methods that share a letter lie within it."
        )
    lines += [
        f"{escape(standing.signed_rank)}.",
        "Wins and losses are by the corrected tests in the columns. If all methods were equal, at most "
        f"{standing.false_wins:.2g} of the {plural(columns, 'column')} would be expected to show any.",
    ]
    lines += [
        f"Not ranked: {escape(method)}, which lacks {'; '.join(map(escape, lacks))}."
        for method, lacks in standing.left_out.items()
    ]
    return lines


def _friedman(test: Friedman | None, blocks: int, alpha: float) -> str:
    if test is None:
        return f"Friedman's test: not made, it needs two methods and more than {plural(blocks, 'block')}."
    says = "the methods differ" if test.f_p <= alpha else "no difference is shown"
    f = "without a finite F, as all blocks rank alike" if test.f is None else f"F = {test.f:.2f}"
    return (
        f"Friedman's test: chi2 = {test.chi2:.2f}, {p_value(test.chi2_p)}; by Iman and Davenport {f}, "
        f"{p_value(test.f_p)}: {says}."
    )


def _scenarios(scenarios: tuple[Scenario, ...]) -> str:
    rows = []
    first = min(scenarios[0].ranks.values(), default=0.0)
    leaders = {method for method, rank in scenarios[0].ranks.items() if rank == first}
    for scenario in scenarios:
        ordered = sorted(scenario.ranks.items(), key=lambda item: (item[1], item[0]))
        named = ", ".join(f"{escape(method)} ({number(rank, digits=2)})" for method, rank in ordered[:SCENARIO_METHODS])
        more = f", and {len(ordered) - SCENARIO_METHODS} more" if len(ordered) > SCENARIO_METHODS else ""
        changed = bool(ordered) and ordered[0][0] not in leaders
        rows.append([escape(scenario.kind), escape(scenario.name), named + more, "yes" if changed else ""])
    return table(["what if", "which", "order (mean rank)", "other leader"], rows)

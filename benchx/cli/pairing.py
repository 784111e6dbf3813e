"""`benchx pair`: two methods by every test."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from benchx.cli.boards import DEFAULT_STORES, Stores
from benchx.cli.options import Json, bars_for, out
from benchx.tables import print_json, print_rows

if TYPE_CHECKING:
    from benchx.reporting.pair.columns import PairColumn

_MEANING = (
    "t is the rule of boards, here not corrected for other pairs. All but t and TOST hold the draws fixed: they ask "
    "about these trained models, not about the methods trained again. n: the units that decide."
)


def pair(
    a: Annotated[str, typer.Argument(metavar="A", help="A method.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The method that is subtracted.")],
    suite: Annotated[str, typer.Option(help="A suite's name, or a suite file.")],
    store: Stores = DEFAULT_STORES,
    dataset: Annotated[list[str], typer.Option(help="Only this dataset; may be repeated.")] = [],
    margin: Annotated[float | None, typer.Option(help="Test equivalence within this difference of scores.")] = None,
    json: Json = False,
) -> None:
    """Compare two methods by every test, so that no conclusion hangs on the choice of one."""
    from benchx.reporting.building.leaderboard import Rules
    from benchx.reporting.pair.columns import compare_pair
    from benchx.results.store import Store
    from benchx.suites import read_suite

    rules, resolved = Rules(margin=margin), read_suite(suite)
    bars = bars_for(quiet=json)
    with bars.running():
        found = compare_pair(resolved, [Store(path) for path in store], a, b, rules, bars.stage("tests"), dataset)
    if json:
        return print_json(out, asdict(found))
    for column in found.columns:
        title = (
            f"{column.name}: {column.metric} {a} {column.a:.4f} - {b} {column.b:.4f}; "
            f"{column.cases} cases of {column.units} {column.unit}"
        )
        print_rows(out, _rows(column), as_json=False, title=escape(title))
    lines = [_MEANING, f"{100 * found.level:g} % intervals; data: {found.data}"]
    lines += [f"not compared: {one}" for one in found.left_out]
    for line in (*lines, *found.notes):
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    return None


def _rows(column: PairColumn) -> list[dict[str, Any]]:
    return [
        {
            "test": one.test,
            "A - B": one.difference,
            "low": one.low,
            "high": one.high,
            "p": one.p_value,
            "n": one.n,
            "rests on": escape(f"not applicable: {one.reason}" if one.reason else one.basis),
        }
        for one in column.tests
    ]

r"""A board as LaTeX tables that need nothing but `\usepackage{booktabs}`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchx.datasets.samples import UNITS
from benchx.errors import printable
from benchx.reporting.board import Board, Column, Standing
from benchx.reporting.grouping import by_dataset, by_task_and_protocol, method_order, standing_of, tied_with_best
from benchx.reporting.rows import Row
from benchx.reporting.wording import CORRECTIONS, FAMILIES, ORIGINS, PHANTOM, TRANSDUCTIVE, number, percent

COLUMNS_PER_TABLE = 6
"""What fits the width of a page; datasets beyond it go into a continued table."""

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\`{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    **{one: f"\\{one}" for one in "#$%&_{}"},
}
_MARKS = {"separates": r"$\bullet$", "weakly": r"$\odot$", "cannot": r"$\circ$"}


def to_latex(board: Board) -> str:
    """Return one table per task and protocol, methods by (dataset, fraction), split where a page is too narrow.

    The best score is bold; those not told apart from it are underlined. Compile with any engine; names beyond the
    engine's fonts need XeLaTeX or LuaLaTeX.
    """
    tables = []
    for (task, protocol), columns in by_task_and_protocol(board).items():
        standing = standing_of(board, task, protocol)
        for place, chunk in enumerate(_chunks(columns)):
            tables.append(_table(board, f"{task}, {protocol}", chunk, standing, continued=place > 0))
    return r"% needs \usepackage{booktabs}" + "\n" + "\n\n".join(tables) + "\n"


def escape(text: str) -> str:
    """Return a text that LaTeX prints as it is, in text mode."""
    return re.sub("-(?=-)", "-{}", "".join(_SPECIAL.get(one, one) for one in printable(text)))


def _chunks(columns: Sequence[Column]) -> list[list[list[Column]]]:
    """Return the columns by dataset, as many datasets together as fit one table."""
    chunks: list[list[list[Column]]] = []
    width = COLUMNS_PER_TABLE
    for group in by_dataset(columns).values():
        if width + len(group) > COLUMNS_PER_TABLE:
            chunks.append([])
            width = 0
        chunks[-1].append(group)
        width += len(group)
    return chunks


def _table(
    board: Board, title: str, datasets: Sequence[Sequence[Column]], standing: Standing | None, *, continued: bool
) -> str:
    columns = [column for group in datasets for column in group]
    tied = [tied_with_best(column) for column in columns]
    lines = [
        r"\begin{table*}",
        r"\centering\small\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{_caption(board, title, columns, continued=continued)}}}",
        rf"\begin{{tabular}}{{l{'c' * len(columns)}}}",
        r"\toprule",
        *_head(datasets),
        r"\midrule",
    ]
    for method in method_order(columns, standing):
        cells = [
            "--" if (row := column.row(method)) is None else _cell(row, best=row is column.rows[0], tied=method in ties)
            for column, ties in zip(columns, tied, strict=True)
        ]
        lines.append(_line([escape(method), *cells]))
    lines.append(r"\midrule")
    verdicts = [column.discriminability for column in columns]
    lines.append(_line(["separates methods", *("--" if one is None else _MARKS[one.verdict] for one in verdicts)]))
    lines.append(
        _line(["detectable difference", *("--" if one is None else number(one.detectable) for one in verdicts)])
    )
    lines += _published(columns)
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table*}"])


def _head(datasets: Sequence[Sequence[Column]]) -> list[str]:
    groups = [rf"\multicolumn{{{len(group)}}}{{c}}{{{escape(group[0].dataset)}}}" for group in datasets]
    rules, first = [], 2
    for group in datasets:
        rules.append(rf"\cmidrule(lr){{{first}-{first + len(group) - 1}}}")
        first += len(group)
    fractions = [escape(percent(column.fraction)) for group in datasets for column in group]
    return [_line(["", *groups]), "".join(rules), _line(["method", *fractions])]


def _cell(row: Row, *, best: bool, tied: bool) -> str:
    value = number(row.score.value)
    value = rf"\textbf{{{value}}}" if best else rf"\underline{{{value}}}" if tied else value
    marks = escape(row.letters) + (r"$\dagger$" if row.contaminated else "")
    marks += r"$\ddagger$" if row.transductive else ""
    interval = f"{{[}}{number(row.score.low)}, {number(row.score.high)}{{]}}"
    return value + (rf"\textsuperscript{{{marks}}}" if marks else "") + rf" {{\tiny {interval}}}"


def _published(columns: Sequence[Column]) -> list[str]:
    rows = list(dict.fromkeys((one.method, one.origin) for column in columns for one in column.published))
    if not rows:
        return []
    lines = [r"\midrule", rf"\multicolumn{{{1 + len(columns)}}}{{l}}{{\emph{{published, not run here}}}} \\"]
    for method, origin in rows:
        values = [
            next((number(one.value) for one in column.published if (one.method, one.origin) == (method, origin)), "--")
            for column in columns
        ]
        lines.append(_line([rf"\emph{{{escape(f'{method} ({ORIGINS[origin]})')}}}", *values]))
    return lines


def _caption(board: Board, title: str, columns: Sequence[Column], *, continued: bool) -> str:
    sizes = dict.fromkeys(f"{one.dataset} {one.cases} cases of {one.units} {UNITS[one.unit]}" for one in columns)
    metrics = " and ".join(dict.fromkeys(column.primary for column in columns))
    text = (
        f"{title}{' (continued)' if continued else ''}: {metrics} of suite {board.suite}, version {board.version}, "
        f"mean over draws with {percent(board.level)} t intervals over test units and draws ({board.replicates} "
        f"bootstrap replicates). Test sets: {'; '.join(sizes)}. Bold: best. Underlined: not told apart from the "
        "best; methods that share a letter are not told apart (paired tests, corrected by "
        f"{CORRECTIONS[board.correction]} {FAMILIES[board.family]}, level {1 - board.level:.2g})."
    )
    marks = r"$\bullet$ the test set separates the methods, $\odot$ weakly, $\circ$ it cannot."
    seen = any(row.contaminated for column in columns for row in column.rows)
    contaminated = r" $\dagger$ the method's pretraining saw something of the dataset." if seen else ""
    if any(row.transductive for column in columns for row in column.rows):
        contaminated += rf" $\ddagger$ {escape(TRANSDUCTIVE)}."
    phantom = escape(PHANTOM) + " " if board.data == "phantom" else ""
    return f"{phantom}{escape(text)} {marks}{contaminated}"


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"

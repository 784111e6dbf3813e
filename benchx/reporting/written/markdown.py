"""A board as Markdown: its README on a code host, and what the command line prints."""

from __future__ import annotations

from collections.abc import Sequence

from benchx.reporting.board import Board
from benchx.reporting.grouping import by_dataset, by_task_and_protocol, standing_of
from benchx.reporting.markdown_text import bullets, escape, table
from benchx.reporting.wording import PHANTOM, digest_start, rules
from benchx.reporting.written.markdown_dataset import dataset_parts
from benchx.reporting.written.markdown_standing import standing_parts
from benchx.words import plural


def to_markdown(board: Board, figures: Sequence[str] = ()) -> str:
    """Return the board as Markdown.

    Args:
        board: a board.
        figures: names of the pictures that lie beside it as `figures/NAME.svg`.
    """
    parts = [f"# Leaderboard: suite {escape(board.suite)}, version {board.version}"]
    if board.data == "phantom":
        parts.append(f"> **{PHANTOM}**")
    parts += [
        escape(board.description),
        f"{plural(len(board.methods), 'method')}, {plural(len(board.columns), 'column')}; "
        f"newest result {escape(board.newest)}. Scores are means over draws with intervals over test cases and draws. "
        "**Methods that share a letter are not told apart**, and where the last line of a table shows ○, its order "
        "says nothing. The rules are at the end.",
    ]
    for (task, protocol), columns in by_task_and_protocol(board).items():
        parts.append(f"## {escape(task)}, {escape(protocol)}")
        standing = standing_of(board, task, protocol)
        if standing is not None:
            parts += standing_parts(standing, board.level)
        for group in by_dataset(columns).values():
            parts += dataset_parts(group)
    if board.notes:
        parts += ["## Notes", bullets([escape(note) for note in board.notes])]
    if board.empty:
        parts += ["## Not on this board", bullets([escape(line) for line in board.empty])]
    if figures:
        parts += ["## Figures", "\n\n".join(f"![{name}](figures/{name}.svg)" for name in figures)]
    parts += ["## Methods", _methods(board), "## Rules", bullets([escape(rule) for rule in rules(board)])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _methods(board: Board) -> str:
    headers = ["method", "title", "signal", "supervision", "paper", "licence", "weights (sha256)"]
    rows = [
        [
            escape(part)
            for part in (
                one.name,
                one.title,
                ", ".join(one.signal),
                ", ".join(one.supervision),
                one.paper,
                one.licence,
                digest_start(one.weights or "none"),
            )
        ]
        for one in board.methods
    ]
    return table(headers, rows)

"""Progress of long work: bars on a terminal, one line per finished stage elsewhere, silence from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console

Advance = Callable[[int, int], None]
"""Called with the units done and the units in all."""


class Progress(Protocol):
    """Where long work reports to."""

    def stage(self, title: str) -> Advance:
        """Begin a stage and return the function that reports its advance."""

    def say(self, line: str) -> None:
        """Report one finished thing."""


class Silent:
    """Reports nothing."""

    def stage(self, title: str) -> Advance:
        """Begin a stage that nobody watches."""
        return lambda done, total: None

    def say(self, line: str) -> None:
        """Drop the line."""

    @contextmanager
    def running(self) -> Iterator[Silent]:
        """Show nothing for the duration of a block."""
        yield self


class Bars:
    """Rich progress bars; where there is no terminal, a line when a stage is complete."""

    def __init__(self, console: Console) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        self._console = console
        self._bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def stage(self, title: str) -> Advance:
        """Begin a stage: a bar that leaves when it is complete."""
        bar = self._bars.add_task(title, total=None)

        def advance(done: int, total: int) -> None:
            if bar not in self._bars.task_ids:
                return
            self._bars.update(bar, completed=done, total=total)
            if done >= total:
                self._bars.remove_task(bar)
                if total > 1 and not self._console.is_terminal:
                    self.say(f"{title}: {total}")

        return advance

    def say(self, line: str) -> None:
        """Print one line above the bars."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def running(self) -> Iterator[Bars]:
        """Show the bars for the duration of a block."""
        with self._bars:
            yield self

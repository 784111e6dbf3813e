"""The child's side of a scorer's process: a text per line in, its annotation per line out, both as JSON.

What a report says never leaves the process but as an annotation: libraries that print while they annotate print
nowhere, and an exception there is told by its class and place alone.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TextIO

from benchx.errors import BenchxError

READY = "ready"
"""The first line, when the model is loaded."""

Annotate = Callable[[str], Any]
"""From a text to what can be written as JSON."""


def serve(load: Callable[[], Annotate]) -> None:
    """Load a model, say `READY`, and answer every text until the input ends.

    A failure ends the process with exit code 1 and one line on standard error.
    """
    answers, complaints = _take_streams()
    try:
        annotate = load()
    except BenchxError as error:
        _give_up(complaints, "; ".join(part for part in (error.what, error.why, error.todo) if part))
    except Exception as error:
        _give_up(complaints, f"{type(error).__name__}: {' '.join(str(error).split())}")
    _point_at_nothing()
    _answer(answers, READY)
    for line in sys.stdin.buffer:
        try:
            annotation = annotate(json.loads(line))
        except Exception as error:
            _give_up(complaints, _place(error))
        _answer(answers, annotation)


def _take_streams() -> tuple[TextIO, TextIO]:
    """Keep standard output and error for ourselves; what libraries print on the former goes to the latter."""
    answers, complaints = (os.fdopen(os.dup(stream), "w", encoding="utf-8") for stream in (1, 2))
    os.dup2(2, 1)
    return answers, complaints


def _point_at_nothing() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nothing, stream)


def _answer(answers: TextIO, value: Any) -> None:
    answers.write(f"{json.dumps(value)}\n")
    answers.flush()


def _place(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def _give_up(complaints: TextIO, line: str) -> NoReturn:
    complaints.write(f"{line}\n")
    complaints.flush()
    raise SystemExit(1)

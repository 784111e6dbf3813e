"""Read the tables of strangers in a process of their own, so that one that kills its reader is a finding.

Damaged parquet files can make the C++ library end the process that reads them; no exception is raised then.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from types import TracebackType

import pandas as pd

from benchx.publishing.columns import Columns
from benchx.publishing.tables import read_table

_CHILD = "from benchx.publishing.table_reader import serve; serve()"


class TableReader:
    """A process that reads tables, started with the first one and anew after a death; ended with the context."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> TableReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def read(self, content: bytes, columns: Columns, *, labelled: bool) -> pd.DataFrame:
        """Read the predictions of a cell, see `benchx.publishing.tables.read_table`.

        Raises:
            ValueError: it cannot be read; says why.
        """
        process = self._process = self._process or _start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump((content, columns, labelled), process.stdin)
            process.stdin.flush()
            answer: pd.DataFrame | str = pickle.load(process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            self._end()
            raise ValueError("the table cannot be read: the reader died") from error
        if isinstance(answer, str):
            raise ValueError(answer)
        return answer

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def serve() -> None:
    """Answer requests on the standard streams, each with a table or with the reason why there is none."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while True:
        try:
            content, columns, labelled = pickle.load(requests)
        except EOFError:
            return
        answer: pd.DataFrame | str
        try:
            answer = read_table(content, columns, labelled=labelled)
        except ValueError as error:
            answer = str(error)
        except MemoryError:
            answer = "it needs more memory than there is"
        pickle.dump(answer, answers)
        answers.flush()


def _start() -> subprocess.Popen[bytes]:
    # No multiprocessing: its children run the caller's script again, and fail where that has no file.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-c", _CHILD], stdin=pipe, stdout=pipe, stderr=nothing, env=environment)

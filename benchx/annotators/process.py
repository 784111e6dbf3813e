"""The parent's side of a scorer's process: start it, send texts, read annotations, and say why it failed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from benchx.annotators.models import Scorer
from benchx.annotators.serving import READY
from benchx.errors import BenchxError

LOADING_SECONDS = 900.0
"""After which a process that has not loaded its model counts as stuck."""

TEXT_SECONDS = 600.0
"""After which one that has not annotated a text does."""

LONGEST_LINE = 300
"""Characters of the process's last words that an error repeats."""


def command(scorer: Scorer, model: Path, device: str) -> list[str]:
    """Return how a scorer's process is started; the current folder is no place to import from."""
    return [sys.executable, "-P", "-m", scorer.process, str(model), device]


def annotate(name: str, started_by: Sequence[str], texts: Iterable[str]) -> Iterator[Any]:
    """Yield every text's annotation, in order, from a process that lives as long as the iteration.

    The process is kept off the network.

    Args:
        name: of the scorer, for errors.
        started_by: the command; the process behaves as `benchx.annotators.serving.serve` does.

    Raises:
        BenchxError: it does not start, dies, gives no answer in time, or one that is no JSON. Its last line on
            standard error is repeated, which holds no report's text.
    """
    with TemporaryFile() as said:
        try:
            child = subprocess.Popen(
                started_by, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, env=_offline()
            )
        except OSError as error:
            raise BenchxError(
                f"the process of the scorer '{name}' did not start",
                error.strerror or str(error),
                "check the Python installation",
            ) from error
        try:
            _ask(child, None, name, said, LOADING_SECONDS)
            for text in texts:
                yield _ask(child, text, name, said, TEXT_SECONDS)
        finally:
            _end(child)


def _offline() -> dict[str, str]:
    settings = {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUTF8": "1",
        "PYTHONWARNINGS": "ignore",
    }
    return {**os.environ, **settings}


def _ask(child: subprocess.Popen[bytes], text: str | None, name: str, said: IO[bytes], seconds: float) -> Any:
    """Send a text, or nothing before the first, and return the answer; a process that is stuck is killed."""
    assert child.stdin is not None
    assert child.stdout is not None
    stuck = threading.Event()

    def kill() -> None:
        stuck.set()
        child.kill()

    watch = threading.Timer(seconds, kill)
    watch.daemon = True
    watch.start()
    try:
        if text is not None:
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(json.dumps(text).encode() + b"\n")
                child.stdin.flush()
        line = child.stdout.readline()
    finally:
        watch.cancel()
        watch.join()
    if stuck.is_set():
        raise BenchxError(
            f"the process of the scorer '{name}' gave no answer for {seconds:g} s",
            f"it was {'loading its model' if text is None else f'annotating a text of {len(text.split())} words'}",
            "try another device, or look whether the machine is overloaded",
        )
    if not line.endswith(b"\n"):
        raise BenchxError(
            f"the process of the scorer '{name}' died",
            _last_words(child.wait(), said),
            "mend that, then repeat the command: annotations made so far are kept",
        )
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise _nonsense(name) from error
    if text is None and answer != READY:
        raise _nonsense(name)
    return answer


def _nonsense(name: str) -> BenchxError:
    return BenchxError(
        f"the process of the scorer '{name}' answered what is no annotation",
        "something else wrote on its standard output",
        "report it with the versions that `benchx doctor` prints",
    )


def _last_words(code: int, said: IO[bytes]) -> str:
    """Return how a process ended, with the last line that it wrote on standard error."""
    said.seek(0)
    lines = [line.strip() for line in said.read().decode(errors="replace").splitlines() if line.strip()]
    last = f": {lines[-1][:LONGEST_LINE]}" if lines else ""
    if code == -signal.SIGKILL:
        return f"it was killed, as the system does when memory runs out{last}"
    return f"it ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}{last}"


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a process, whatever it is at, and close its pipes."""
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

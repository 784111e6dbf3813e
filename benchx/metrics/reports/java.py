"""Java, for the two programs of pycocoevalcap that are Java archives: the PTB tokenizer and METEOR.

They read standard input and write standard output, so no text is ever put on the disk, and the installation may be
read-only. What they write to standard error is shown only when they fail.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchx.errors import BenchxError


class JavaError(BenchxError):
    """A Java program that computes a metric has died or has answered otherwise than it must."""


@dataclass(frozen=True)
class NoJava:
    """Java cannot be used.

    Attributes:
        reason: in one line.
    """

    reason: str


def find_java() -> str | NoJava:
    """Return the path of a Java that runs, or why there is none.

    A `java` that does not run counts as none: macOS has one that only says where Java can be had.
    """
    path = shutil.which("java")
    if path is None:
        return NoJava("no java on the PATH")
    try:
        tried = subprocess.run([path, "-version"], capture_output=True, stdin=subprocess.DEVNULL)
    except OSError as error:
        return NoJava(f"{path} does not start: {error.strerror}")
    if tried.returncode:
        return NoJava(f"{path} does not run: {_last_line(tried.stderr)}")
    return path


def run_java(java: str, program: str, folder: str, arguments: list[str], lines: list[str]) -> list[str]:
    """Give lines to a Java program of pycocoevalcap and return what it answers, a line for each.

    Args:
        java: path of java.
        program: what it is called in an error.
        folder: folder in pycocoevalcap that the program starts in.
        arguments: of java.
        lines: without line breaks of any kind; UTF-8, a lone surrogate becomes '?'.

    Returns:
        As many lines, without their ends.

    Raises:
        JavaError: the program has failed, or has answered another number of lines.
    """
    spec = find_spec("pycocoevalcap")
    if spec is None or spec.submodule_search_locations is None:
        raise JavaError(f"{program} is not there", "pycocoevalcap is not installed", "pip install pycocoevalcap")
    ended = subprocess.run(
        [java, *arguments],
        cwd=Path(next(iter(spec.submodule_search_locations))) / folder,
        input="".join(f"{line}\n" for line in lines).encode("utf-8", "replace"),
        capture_output=True,
    )
    if ended.returncode:
        why = f"java ended with {ended.returncode}: {_last_line(ended.stderr)}"
        raise JavaError(f"{program} has failed", why, "mend Java, or take it off the PATH to go without")
    answers = ended.stdout.decode().split("\n")
    if answers.pop() or len(answers) != len(lines):
        why = f"{len(lines)} reports went in and {len(answers)} lines came out"
        raise JavaError(f"{program} has lost count", why, "report this, with the version of Java")
    return answers


def _last_line(errors: bytes) -> str:
    """Return what a program said of its end: the exception where there is one, else its last line."""
    said = [line.strip() for line in errors.decode(errors="replace").splitlines() if line.strip()]
    thrown = [line for line in said if line.startswith("Exception in thread")]
    return (thrown or said or ["it said nothing"])[-1][:200]

"""Annotations kept on disk, by scorer and by the sha256 of the text; the texts themselves are not.

RadGraph's annotations still hold words of the reports, so the cache belongs where the reports may lie.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchx.errors import StoreError

Check = Callable[[Any], Any]
"""Returns what is kept of an annotation; raises ValueError for one that is not of the scorer's form."""


def text_digest(text: str) -> str:
    """Return the sha256 (hex) of a text's UTF-8, by which annotations are kept."""
    return hashlib.sha256(text.encode()).hexdigest()


class AnnotationCache:
    """The annotations of one scorer: a file of lines, one more for every new annotation.

    What a kill leaves of a line is passed over. One process at a time holds `lock`, and it alone writes.

    Args:
        cache: the folder of all caches.
        scorer: the digest that names the scorer.
        check: of the scorer's annotations.
    """

    def __init__(self, cache: Path, scorer: str, check: Check) -> None:
        self._file = cache / "annotations" / f"{scorer}.jsonl"
        self._check = check

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the scorer's lock, waiting for it.

        Raises:
            StoreError: the folder cannot be written to.
        """
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._file.with_suffix(".lock"))
            lock.acquire()
        except OSError as error:
            raise self._cannot(error) from error
        try:
            yield
        finally:
            lock.release()

    def read(self) -> dict[str, Any]:
        """Return text's sha256 -> annotation; lines that are no annotation are passed over.

        Raises:
            StoreError: the file cannot be read.
        """
        try:
            lines = self._file.read_bytes().split(b"\n") if self._file.exists() else []
        except OSError as error:
            raise self._cannot(error) from error
        found: dict[str, Any] = {}
        for line in lines:
            try:
                entry = json.loads(line)
                found[str(entry["text"])] = self._check(entry["annotation"])
            except (ValueError, TypeError, KeyError):
                continue
        return found

    def add(self, text: str, annotation: Any) -> None:
        """Keep the annotation of a text that is named by its sha256.

        Raises:
            StoreError: it cannot be written.
        """
        line = json.dumps({"text": text, "annotation": annotation}).encode()
        try:
            with self._file.open("a+b") as file:
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    line = line if file.read(1) == b"\n" else b"\n" + line
                file.write(line + b"\n")
        except OSError as error:
            raise self._cannot(error) from error

    def _cannot(self, error: OSError) -> StoreError:
        return StoreError(
            f"annotations cannot be kept in {self._file.parent}",
            error.strerror or str(error),
            "make room there or mend its permissions, or name another folder for caches",
        )

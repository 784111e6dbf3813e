"""`benchx data splits fetch`: BenchX's split lists from its public repository, checked against their sums."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from benchx.datasets.benchx_lists import LISTS, PARTS, refuse_other_sum
from benchx.digests import digest_file
from benchx.errors import BenchxError, DatasetError
from benchx.writing import write_whole

REPOSITORY = "https://raw.githubusercontent.com/yangzhou12/BenchX/release/preprocess/datasets"
_TIMEOUT_SECONDS = 60
_LARGEST_BYTES = 16_000_000


def fetch_lists(out: Path, on_progress: Callable[[int, int], None], source: str) -> int:
    """Bring the lists that are not yet there into `out`, one folder per dataset.

    A list that is there with the published sum is kept; any other is fetched, and written whole after its sum was
    checked.

    Args:
        source: the address under which `<folder>/<part>.txt` lie.

    Returns:
        How many were fetched.

    Raises:
        BenchxError: the network or the server fails, or the disk is full.
        DatasetError: the list that is served is not the published one.
    """
    wanted = [(lists, part) for lists in LISTS.values() for part in PARTS]
    fetched = 0
    for number, (lists, part) in enumerate(wanted):
        on_progress(number, len(wanted))
        path = out / lists.folder / f"{part}.txt"
        if path.is_file() and digest_file(path) == lists.sha256[part]:
            continue
        address = f"{source}/{lists.folder}/{part}.txt"
        content = _download(address)
        refuse_other_sum(content, lists.sha256[part], address, "the repository has changed; copy the lists by hand")
        _put(path, content)
        fetched += 1
    on_progress(len(wanted), len(wanted))
    return fetched


def _download(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT_SECONDS) as answer:
            content: bytes = answer.read(_LARGEST_BYTES + 1)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        reason = str(getattr(error, "reason", "") or error or type(error).__name__)
        raise BenchxError(
            f"{address} could not be fetched", reason, "try again, or copy the lists by hand and give --splits DIR"
        ) from error
    if len(content) > _LARGEST_BYTES:
        raise DatasetError(f"{address} is not a split list", "it is over 16 MB", "check the address")
    return content


def _put(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
    except OSError as error:
        raise BenchxError(
            f"{path} could not be written", error.strerror or str(error), "free space or give --out another folder"
        ) from error

"""Killed builds continue and end in the same bytes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchx.images.store import build

COUNT = 150
Items = list[tuple[str, Path]]


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> Items:
    folder = tmp_path_factory.mktemp("files")
    for number in range(COUNT):
        rng = np.random.default_rng(number)
        Image.fromarray(rng.integers(0, 256, rng.integers(20, 70, 2), dtype=np.uint8)).save(folder / f"{number}.png")
    return [(str(number), folder / f"{number}.png") for number in range(COUNT)]


@pytest.fixture(scope="module")
def undisturbed(items: Items, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return contents(build(items, 32, tmp_path_factory.mktemp("undisturbed")).folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "build.lock"}


def stop_after(images: int, items: Items, folder: Path, short_side: int = 32) -> None:
    """Build until some images are committed, then stop as Ctrl-C does."""

    def stop(done: int, total: int) -> None:
        if done >= images:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(items, short_side, folder, workers=2, on_progress=stop)


def resume(items: Items, folder: Path) -> tuple[int, dict[str, bytes]]:
    """Finish a build; return how many images it began with and the finished files."""
    seen: list[int] = []
    build(items, 32, folder, workers=2, on_progress=lambda done, total: seen.append(done))
    return seen[0], contents(folder)


@pytest.mark.parametrize("images", [0, 1, 64, COUNT])
def test_an_interrupted_build_continues(
    tmp_path: Path, items: Items, undisturbed: dict[str, bytes], images: int
) -> None:
    stop_after(images, items, tmp_path)
    began_with, finished = resume(items, tmp_path)
    assert images <= began_with < images + 32
    assert finished == undisturbed


@pytest.mark.parametrize(
    ("tail", "kept"),
    [
        (b"", 96),
        (b'[["96", 12', 96),
        (b"[]\n", 96),
        (b"null\n", 96),
        (b'[["96"]]\n', 96),
        (b"\xff\xfe\n", 96),
    ],
)
def test_a_torn_journal_line_and_surplus_pixels_are_ignored(
    tmp_path: Path, items: Items, undisturbed: dict[str, bytes], tail: bytes, kept: int
) -> None:
    stop_after(96, items, tmp_path)
    with (tmp_path / "journal.jsonl").open("ab") as journal, (tmp_path / "pixels.u8").open("ab") as pixels:
        journal.write(tail)
        pixels.write(b"half an image")
    assert resume(items, tmp_path) == (kept, undisturbed)


def test_what_follows_a_torn_line_is_kept_by_the_next_resume(
    tmp_path: Path, items: Items, undisturbed: dict[str, bytes]
) -> None:
    stop_after(32, items, tmp_path)
    with (tmp_path / "journal.jsonl").open("ab") as journal:
        journal.write(b'[["32", 12')
    stop_after(96, items, tmp_path)
    assert resume(items, tmp_path) == (96, undisturbed)


def test_a_journal_line_whose_pixels_were_lost_is_ignored(
    tmp_path: Path, items: Items, undisturbed: dict[str, bytes]
) -> None:
    stop_after(96, items, tmp_path)
    lines = (tmp_path / "journal.jsonl").read_bytes().splitlines(keepends=True)
    last = json.loads(lines[-1])[0]
    with (tmp_path / "pixels.u8").open("r+b") as pixels:
        pixels.truncate(last[3] + 5)
    assert resume(items, tmp_path) == (64, undisturbed)


@pytest.mark.parametrize("lost", ["journal.jsonl", "pixels.u8"])
def test_without_journal_or_pixels_it_begins_anew(
    tmp_path: Path, items: Items, undisturbed: dict[str, bytes], lost: str
) -> None:
    stop_after(96, items, tmp_path)
    (tmp_path / lost).unlink()
    assert resume(items, tmp_path) == (0, undisturbed)


def test_another_short_side_begins_anew(tmp_path: Path, items: Items, undisturbed: dict[str, bytes]) -> None:
    stop_after(64, items, tmp_path, short_side=16)
    assert resume(items, tmp_path) == (0, undisturbed)


def test_a_file_changed_between_two_runs_is_decoded_again(tmp_path: Path, items: Items) -> None:
    own = [(sample, tmp_path / "files" / path.name) for sample, path in items[:40]]
    (tmp_path / "files").mkdir()
    for (_, source), (_, path) in zip(items, own, strict=False):
        path.write_bytes(source.read_bytes())
    stop_after(32, own, tmp_path / "store")
    Image.fromarray(np.full((25, 25), 7, np.uint8)).save(own[3][1])
    began_with, _ = resume(own, tmp_path / "store")
    assert began_with == 31
    store, fresh = build(own, 32, tmp_path / "store"), build(own, 32, tmp_path / "fresh")
    assert (store.images([3])[0] == 7).all()
    assert store.digest == fresh.digest
    for ours, expected in zip(store.images(range(40)), fresh.images(range(40)), strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_kill_9(tmp_path: Path, items: Items, undisturbed: dict[str, bytes]) -> None:
    program = f"""
import os, signal
from pathlib import Path
from benchx.images.store import build
items = [(str(n), Path({str(items[0][1].parent)!r}) / f"{{n}}.png") for n in range({COUNT})]
build(items, 32, Path({str(tmp_path)!r}), workers=2,
      on_progress=lambda done, total: os.kill(os.getpid(), signal.SIGKILL) if done >= 64 else None)
"""
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert "meta.json" not in contents(tmp_path)
    assert resume(items, tmp_path) == (64, undisturbed)


def test_two_builders_of_one_folder_wait_for_each_other(
    tmp_path: Path, items: Items, undisturbed: dict[str, bytes]
) -> None:
    with ThreadPoolExecutor(2) as pool:
        digests = set(pool.map(lambda _: build(items, 32, tmp_path, workers=1).digest, range(2)))
    assert len(digests) == 1
    assert contents(tmp_path) == undisturbed

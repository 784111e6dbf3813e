"""The pixel store: what it holds, how it is found again, and what it says of unreadable files."""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from benchx.errors import DatasetError, StoreError
from benchx.images.filling import shrink
from benchx.images.store import PixelStore, build, open_store

Items = list[tuple[str, Path]]


def write_images(folder: Path, count: int) -> Items:
    """Write PNGs of noise in different shapes, some smaller than the store's short side of 32."""
    folder.mkdir(exist_ok=True)
    items = []
    for number in range(count):
        rng = np.random.default_rng(number)
        shape = rng.integers(20, 90, 2)
        path = folder / f"{number:03d}.png"
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(path)
        items.append((f"image {number}", path))
    return items


def first_pixel(store: PixelStore) -> int:
    return int(store.images([0])[0][0, 0])


def test_holds_every_image_shrunk_once(tmp_path: Path) -> None:
    items = write_images(tmp_path / "files", 70)
    store = build(items, 32, tmp_path / "store", workers=2)
    assert store.samples == tuple(sample for sample, _ in items)
    for position, (sample, path) in enumerate(items):
        original = np.asarray(Image.open(path))
        short = min(original.shape)
        (stored,) = store.images([position])
        assert stored.dtype == np.uint8
        assert not stored.flags.writeable
        assert min(stored.shape) == min(32, short)
        if short <= 32:
            np.testing.assert_array_equal(stored, original)
        else:
            width, height = (round(length * 32 / short) for length in original.shape[::-1])
            np.testing.assert_array_equal(stored, cv2.resize(original, (width, height), interpolation=cv2.INTER_AREA))
        assert tuple(store.original_shapes[position]) == original.shape
        assert store.checksums[sample] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert store.samples.index(sample) == position


def test_area_shrinking_by_a_whole_factor_is_the_block_mean() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 96), dtype=np.uint8)
    means = image.reshape(16, 4, 24, 4).mean(axis=(1, 3))
    assert np.abs(shrink(image, 16) - means).max() <= 0.5


def test_threads_change_nothing(tmp_path: Path) -> None:
    items = write_images(tmp_path / "files", 70)
    stores = [build(items, 32, tmp_path / f"store{workers}", workers=workers) for workers in (1, 2, 5)]
    assert len({(store.folder / "pixels.u8").read_bytes() for store in stores}) == 1
    assert len({store.digest for store in stores}) == 1


def test_a_finished_store_is_opened_and_not_built_again(tmp_path: Path) -> None:
    items = write_images(tmp_path / "files", 40)
    first = build(items, 32, tmp_path / "store")
    built = (first.folder / "pixels.u8").stat().st_mtime_ns
    calls: list[tuple[int, int]] = []
    again = build(items, 32, tmp_path / "store", on_progress=lambda *done: calls.append(done))
    assert calls == [(40, 40)]
    assert (again.folder / "pixels.u8").stat().st_mtime_ns == built
    assert again.digest == first.digest == open_store(tmp_path / "store").digest


def test_another_size_or_a_changed_file_builds_again(tmp_path: Path) -> None:
    items = write_images(tmp_path / "files", 3)
    first = build(items, 32, tmp_path / "store")
    old, first_views = first_pixel(first), first.images([0, 1, 2])
    smaller = build(items, 16, tmp_path / "store")
    assert smaller.digest != first.digest
    assert smaller.shapes.min() == 16
    Image.fromarray(np.full((40, 40), 9, np.uint8)).save(items[0][1])
    changed = build(items, 16, tmp_path / "store")
    assert changed.digest != smaller.digest
    assert first_pixel(changed) == 9
    # Whoever still reads the first store keeps its pixels.
    assert first_views[0][0, 0] == old


def test_the_digest_knows_contents_and_no_dates_paths_or_order(tmp_path: Path) -> None:
    items = write_images(tmp_path / "files", 5)
    first = build(items, 32, tmp_path / "first")
    (tmp_path / "files").rename(tmp_path / "moved")
    moved = [(sample, tmp_path / "moved" / path.name) for sample, path in reversed(items)]
    for _, path in moved:
        os.utime(path, (1, 1))
    second = build(moved, 32, tmp_path / "second")
    assert second.digest == first.digest
    renamed = [("other", moved[0][1]), *moved[1:]]
    assert build(renamed, 32, tmp_path / "third").digest != first.digest


def read_sum(store: PixelStore, indices: Sequence[int]) -> int:
    return sum(int(image.sum()) for image in store.images(indices))


def test_travels_to_other_processes_as_a_path(tmp_path: Path) -> None:
    store = build(write_images(tmp_path / "files", 5), 32, tmp_path / "store")
    expected = read_sum(store, range(5))
    assert len(pickle.dumps(store)) < 1000
    assert read_sum(pickle.loads(pickle.dumps(store)), range(5)) == expected
    with get_context("spawn").Pool(1) as pool:
        assert pool.apply(read_sum, (store, range(5))) == expected


def test_unreadable_files_are_listed_at_the_end(tmp_path: Path) -> None:
    items = write_images(tmp_path / "files", 40)
    for _, path in items[5:17]:
        path.write_bytes(path.read_bytes()[:-20])
    items[20][1].unlink()
    seen: list[tuple[int, int]] = []
    with pytest.raises(DatasetError) as caught:
        build(items, 32, tmp_path / "store", on_progress=lambda *done: seen.append(done))
    assert seen[-1] == (40, 40)
    assert caught.value.what == "13 of 40 images cannot be read"
    assert caught.value.why.count("truncated PNG") == 10
    assert caught.value.why.endswith("and 3 more")
    assert "--skip-unreadable" in caught.value.todo
    with pytest.raises(StoreError):
        open_store(tmp_path / "store")


def test_only_repaired_files_are_decoded_after_a_failed_build(tmp_path: Path) -> None:
    items = write_images(tmp_path / "files", 40)
    whole = items[7][1].read_bytes()
    items[7][1].write_bytes(whole[:-20])
    with pytest.raises(DatasetError):
        build(items, 32, tmp_path / "store")
    items[7][1].write_bytes(whole)
    seen: list[tuple[int, int]] = []
    store = build(items, 32, tmp_path / "store", on_progress=lambda *done: seen.append(done))
    assert seen == [(39, 40), (40, 40)]
    assert store.samples == tuple(sample for sample, _ in items)
    fresh = build(items, 32, tmp_path / "fresh")
    for ours, expected in zip(store.images(range(40)), fresh.images(range(40)), strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert store.digest == fresh.digest


def test_skipped_files_are_recorded_and_stay_an_error_without_the_flag(tmp_path: Path) -> None:
    items = write_images(tmp_path / "files", 6)
    items[2][1].write_bytes(b"")
    store = build(items, 32, tmp_path / "store", skip_unreadable=True)
    assert store.unreadable == {"image 2": "the file has zero bytes"}
    assert store.samples == tuple(sample for sample, _ in items if sample != "image 2")
    assert open_store(tmp_path / "store").unreadable == store.unreadable
    with pytest.raises(DatasetError, match="1 of 6 images"):
        build(items, 32, tmp_path / "store")
    assert build(items, 32, tmp_path / "store", skip_unreadable=True).digest == store.digest


def test_a_skipped_file_once_repaired_is_the_only_one_to_decode(tmp_path: Path) -> None:
    items = write_images(tmp_path / "files", 6)
    whole = items[2][1].read_bytes()
    items[2][1].write_bytes(b"")
    build(items, 32, tmp_path / "store", skip_unreadable=True)
    items[2][1].write_bytes(whole)
    seen: list[tuple[int, int]] = []
    store = build(items, 32, tmp_path / "store", on_progress=lambda *done: seen.append(done))
    assert seen == [(5, 6), (6, 6)]
    assert store.digest == build(items, 32, tmp_path / "fresh").digest


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_names_the_space_needed_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    items = write_images(tmp_path / "files", 70)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, full)
        with pytest.raises(StoreError, match="No space left on device") as caught:
            build(items, 32, tmp_path / "store")
    assert failing == "replace" or "about 8.96e-05 GB" in caught.value.todo
    with pytest.raises(StoreError):
        open_store(tmp_path / "store")
    resumed, fresh = (build(items, 32, tmp_path / name) for name in ("store", "fresh"))
    assert (resumed.folder / "pixels.u8").read_bytes() == (fresh.folder / "pixels.u8").read_bytes()


def test_a_store_that_lost_pixels_is_not_opened_but_built_again(tmp_path: Path) -> None:
    items = write_images(tmp_path / "files", 3)
    store = build(items, 32, tmp_path / "store")
    os.truncate(store.folder / "pixels.u8", 100)
    with pytest.raises(StoreError):
        open_store(store.folder)
    again = build(items, 32, tmp_path / "store")
    assert again.digest == store.digest
    assert len(again.images(range(3))) == 3


def test_repeated_samples_are_refused_and_no_samples_are_fine(tmp_path: Path) -> None:
    items = write_images(tmp_path / "files", 2)
    with pytest.raises(DatasetError, match="image 0"):
        build([*items, items[0]], 32, tmp_path / "store")
    empty = build([], 32, tmp_path / "empty")
    assert empty.samples == ()
    assert empty.images([]) == []


def test_opencvs_threads_are_as_before(tmp_path: Path) -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        build(write_images(tmp_path / "files", 2), 32, tmp_path / "store")
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)

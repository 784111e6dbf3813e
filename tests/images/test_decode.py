"""Reading PNG and JPEG, against Pillow, and every way in which a file can be broken."""

from __future__ import annotations

import hashlib
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchx.errors import DatasetError
from benchx.images.decode import UnreadableImage, read, read_with_checksum, to_uint8

GREY = np.random.default_rng(0).integers(0, 256, (40, 31), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (40, 31, 3), dtype=np.uint8)


def saved(folder: Path, image: Image.Image, name: str = "image.png", **options: Any) -> Path:
    image.save(folder / name, **options)
    return folder / name


def as_palette(image: Image.Image) -> Image.Image:
    return image.quantize(64)


def as_rgba(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    image.putalpha(Image.fromarray(GREY))
    return image


@pytest.mark.parametrize("colour", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("convert", [None, as_palette, as_rgba, lambda i: i.convert("1"), lambda i: i.convert("LA")])
def test_png_modes_give_pillows_grey(
    tmp_path: Path, colour: np.ndarray, convert: Callable[[Image.Image], Image.Image] | None
) -> None:
    image = Image.fromarray(colour)
    image = convert(image) if convert else image
    np.testing.assert_array_equal(read(saved(tmp_path, image)), np.asarray(image.convert("L")))


@pytest.mark.parametrize("bits", [2, 4])
def test_palette_of_few_bits(tmp_path: Path, bits: int) -> None:
    image = Image.fromarray(COLOUR).quantize(2**bits)
    path = saved(tmp_path, image, bits=bits)
    np.testing.assert_array_equal(read(path), np.asarray(image.convert("L")))


def test_equal_channels_give_that_channel_exactly(tmp_path: Path) -> None:
    for image in (Image.merge("RGB", [Image.fromarray(GREY)] * 3), as_rgba(Image.fromarray(GREY))):
        np.testing.assert_array_equal(read(saved(tmp_path, image)), GREY)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
@pytest.mark.parametrize("colour", [GREY, COLOUR], ids=["grey", "colour"])
def test_jpeg_gives_pillows_grey(tmp_path: Path, colour: np.ndarray, options: dict[str, Any]) -> None:
    path = saved(tmp_path, Image.fromarray(colour), "image.jpg", quality=90, **options)
    with Image.open(path) as image:
        np.testing.assert_array_equal(read(path), np.asarray(image.convert("L")))


def test_16_bit_png_keeps_its_bits(tmp_path: Path) -> None:
    deep = np.random.default_rng(2).integers(0, 65536, (9, 14), dtype=np.uint16)
    path = saved(tmp_path, Image.fromarray(deep))
    assert read(path).dtype == np.uint16
    np.testing.assert_array_equal(read(path), deep)


def test_content_decides_and_not_the_name(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(GREY)).rename(tmp_path / "image.jpg")
    np.testing.assert_array_equal(read(path), GREY)


def test_the_checksum_is_that_of_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(GREY))
    image, checksum = read_with_checksum(path)
    assert checksum == hashlib.sha256(path.read_bytes()).hexdigest()
    np.testing.assert_array_equal(image, GREY)


def reason(path: Path) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read(path)
    assert str(path) in caught.value.what
    assert "\n" not in caught.value.why
    return caught.value.why


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("keep", [0.02, 0.3, 0.7, 0.999])
def test_truncation_is_found_wherever_it_falls(tmp_path: Path, suffix: str, keep: float) -> None:
    path = saved(tmp_path, Image.fromarray(COLOUR).resize((300, 300)), f"image.{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: max(12, int(len(data) * keep))])
    assert reason(path) == f"truncated {'PNG' if suffix == 'png' else 'JPEG'}"


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_download_that_stopped_in_a_file_of_full_size(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path, Image.fromarray(COLOUR).resize((300, 300)), f"image.{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    assert reason(path)


def test_a_flipped_bit_in_a_png_is_found(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(GREY))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "checksum" in reason(path)


def test_a_png_with_too_few_pixels_behind_right_checksums(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 31, 40, 8, 0, 0, 0, 0))
    rows = zlib.compress(bytes(32 * 20))
    path = tmp_path / "image.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    assert "cannot be decoded" in reason(path)


def test_files_that_are_no_image(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "page.png").write_text("<html>404</html>")
    (tmp_path / "folder.png").mkdir()
    assert reason(tmp_path / "absent.png") == "the file is missing"
    assert reason(tmp_path / "empty.png") == "the file has zero bytes"
    assert reason(tmp_path / "page.png") == "not a PNG, JPEG or DICOM file"
    assert "directory" in reason(tmp_path / "folder.png").lower()


def test_the_error_is_a_dataset_error_that_survives_pickling(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        read(tmp_path / "absent.png")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("low", [0, 700])
@pytest.mark.parametrize("high", [701, 4095, 65535])
def test_16_bits_to_8_linearly_rounded_half_up(low: int, high: int) -> None:
    image = np.random.default_rng(0).integers(low, high + 1, (60, 60)).astype(np.uint16)
    image[0, :2] = low, high
    exact = (image.astype(np.float64) - low) * 255 / (high - low)
    np.testing.assert_array_equal(to_uint8(image), np.floor(exact + 0.5))


def test_8_bits_stay_and_a_constant_16_bit_image_becomes_0() -> None:
    assert to_uint8(GREY) is GREY
    assert not to_uint8(np.full((3, 3), 9000, np.uint16)).any()


@pytest.mark.parametrize("folder", ["nih-256", "nih-1024", "tbx11k-sample"])
def test_real_radiographs_equal_pillow(shared: Path, folder: str) -> None:
    paths = sorted((shared / "data" / folder).rglob("*.png"))
    assert paths
    for path in paths:
        with Image.open(path) as image:
            np.testing.assert_array_equal(read(path), np.asarray(image.convert("L")))

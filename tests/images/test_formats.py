"""Every kind of PNG and JPEG: PNGs written bit by bit here, so that their samples are known, and Pillow."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from benchx.images.decode import read

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
LUMA = np.array([0.299, 0.587, 0.114])
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
"""First row, first column, row step and column step of the passes of an interlaced PNG."""


def samples(bits: int, channels: int = 1, shape: tuple[int, int] = (13, 11)) -> np.ndarray:
    """Random samples [H, W, channels] of so many bits."""
    return np.random.default_rng(bits).integers(0, 2**bits, (*shape, channels))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def packed_rows(values: np.ndarray, bits: int) -> bytes:
    """Rows of samples as PNG stores them, each behind the filter type 0."""
    rows = values.reshape(len(values), -1)
    binary = (rows[..., None] >> np.arange(bits)[::-1] & 1).astype(np.uint8).reshape(len(rows), -1)
    return b"".join(b"\0" + row.tobytes() for row in np.packbits(binary, axis=1))


def write_png(
    folder: Path, values: np.ndarray, bits: int, colour: int, *chunks: bytes, interlaced: bool = False
) -> Path:
    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    passes = [values[top::down, left::across] for top, left, down, across in ADAM7] if interlaced else [values]
    rows = zlib.compress(b"".join(packed_rows(part, bits) for part in passes if part.size))
    path = folder / "image.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    return path


def pillows_grey(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        # Pillow warns of a palette with transparency that does not pass through RGBA.
        return np.asarray((image.convert("RGBA") if "transparency" in image.info else image).convert("L"))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_png_of_every_depth(tmp_path: Path, bits: int, interlaced: bool) -> None:
    values = samples(bits)
    path = write_png(tmp_path, values, bits, GREY, interlaced=interlaced)
    expected = values[..., 0] * (255 // (2**bits - 1) if bits < 8 else 1)
    got = read(path)
    assert got.dtype == (np.uint16 if bits == 16 else np.uint8)
    np.testing.assert_array_equal(got, expected)
    if bits <= 8:
        np.testing.assert_array_equal(got, pillows_grey(path))


@pytest.mark.parametrize("extra", [(b"tRNS", b"\0\1"), (b"gAMA", struct.pack(">I", 90909)), (b"sBIT", b"\4")])
@pytest.mark.parametrize("bits", [4, 8, 16])
def test_transparency_gamma_and_significant_bits_change_no_grey(
    tmp_path: Path, bits: int, extra: tuple[bytes, bytes]
) -> None:
    plain = read(write_png(tmp_path, samples(bits), bits, GREY))
    np.testing.assert_array_equal(read(write_png(tmp_path, samples(bits), bits, GREY, chunk(*extra))), plain)


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_png_of_every_depth(tmp_path: Path, bits: int, interlaced: bool, transparent: bool) -> None:
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 256, (2**bits, 3), dtype=np.uint8)
    chunks = [chunk(b"PLTE", palette.tobytes())]
    if transparent:
        chunks.append(chunk(b"tRNS", rng.integers(0, 256, 2**bits, dtype=np.uint8).tobytes()))
    values = samples(bits)
    path = write_png(tmp_path, values, bits, PALETTE, *chunks, interlaced=interlaced)
    np.testing.assert_allclose(read(path), palette[values[..., 0]] @ LUMA, atol=0.51)
    np.testing.assert_array_equal(read(path), pillows_grey(path))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "channels"), [(RGB, 3), (RGBA, 4), (GREY_ALPHA, 2)])
def test_8_bit_colour_and_alpha_equal_pillow(tmp_path: Path, colour: int, channels: int, interlaced: bool) -> None:
    path = write_png(tmp_path, samples(8, channels), 8, colour, interlaced=interlaced)
    np.testing.assert_array_equal(read(path), pillows_grey(path))


@pytest.mark.parametrize(("colour", "channels"), [(RGB, 3), (RGBA, 4), (GREY_ALPHA, 2)])
def test_16_bit_colour_and_alpha_keep_their_bits(tmp_path: Path, colour: int, channels: int) -> None:
    """Pillow reduces these to 8 bits; the weights in 1/65536 move a level by at most 0.3."""
    values = samples(16, channels)
    expected = values[..., 0] if colour == GREY_ALPHA else values[..., :3] @ LUMA
    got = read(write_png(tmp_path, values, 16, colour))
    assert got.dtype == np.uint16
    np.testing.assert_allclose(got, expected, atol=0 if colour == GREY_ALPHA else 0.8)


def test_alpha_hides_nothing(tmp_path: Path) -> None:
    values = samples(8, 4)
    values[..., 3] = 0
    np.testing.assert_allclose(read(write_png(tmp_path, values, 8, RGBA)), values[..., :3] @ LUMA, atol=0.51)


def photograph(mode: str) -> Image.Image:
    """A smooth image with some noise, of odd sides."""
    rng = np.random.default_rng(0)
    channels = len(Image.new(mode, (1, 1)).getbands())
    corners = Image.fromarray(rng.integers(0, 256, (4, 4 * channels), dtype=np.uint8))
    smooth = np.asarray(corners.resize((61 * channels, 47), Image.Resampling.BICUBIC)).astype(int)
    noisy = (smooth + rng.integers(-8, 9, smooth.shape)).clip(0, 255).astype(np.uint8)
    return Image.merge(mode, [Image.fromarray(noisy[:, 61 * c : 61 * (c + 1)]) for c in range(channels)])


def write_jpeg(folder: Path, image: Image.Image, **options: Any) -> Path:
    image.save(folder / "image.jpg", quality=92, **options)
    return folder / "image.jpg"


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(
    "options",
    [{"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2}, {"keep_rgb": True}, {"optimize": True}],
    ids=str,
)
def test_colour_jpeg_equals_pillow(tmp_path: Path, options: dict[str, Any], progressive: bool) -> None:
    path = write_jpeg(tmp_path, photograph("RGB"), progressive=progressive, **options)
    np.testing.assert_array_equal(read(path), pillows_grey(path))


def test_cmyk_jpeg_is_pillows_grey_within_two_levels(tmp_path: Path) -> None:
    """OpenCV and Pillow round differently on the way from four inks to grey."""
    path = write_jpeg(tmp_path, photograph("CMYK"))
    assert np.abs(read(path).astype(int) - pillows_grey(path)).max() <= 2


def test_a_profile_or_bytes_after_the_end_change_no_pixel(tmp_path: Path) -> None:
    plain = read(write_jpeg(tmp_path, photograph("L")))
    np.testing.assert_array_equal(read(write_jpeg(tmp_path, photograph("L"), icc_profile=bytes(300))), plain)
    path = write_jpeg(tmp_path, photograph("L"))
    path.write_bytes(path.read_bytes() + b"behind the end")
    np.testing.assert_array_equal(read(path), plain)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_exif_orientation_is_not_applied(tmp_path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned, plain = BytesIO(), BytesIO()
    photograph("L").save(turned, kind, exif=exif)
    photograph("L").save(plain, kind)
    (tmp_path / "turned").write_bytes(turned.getvalue())
    (tmp_path / "plain").write_bytes(plain.getvalue())
    np.testing.assert_array_equal(read(tmp_path / "turned"), read(tmp_path / "plain"))


def test_of_an_animated_png_the_first_frame_counts(tmp_path: Path) -> None:
    first, second = photograph("L"), photograph("L").transpose(Image.Transpose.ROTATE_180)
    first.save(tmp_path / "image.png", save_all=True, append_images=[second])
    np.testing.assert_array_equal(read(tmp_path / "image.png"), np.asarray(first))


def test_a_colour_profile_that_does_not_fit_changes_nothing_and_says_nothing(tmp_path, capfd):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=profile)
    assert b"iCCP" in (tmp_path / "a.png").read_bytes()
    np.testing.assert_array_equal(read(tmp_path / "a.png"), pixels)
    assert capfd.readouterr().err == ""

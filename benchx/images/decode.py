"""From an image file to grey pixels: PNG, JPEG and DICOM, or one short reason why not."""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from benchx.errors import DatasetError
from benchx.images.dicom import decode_dicom
from benchx.images.sources import read_bytes

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_JPEG_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_END_OF_IMAGE = 0xD9
_LUMA = np.array([19595, 38470, 7471], np.uint32)
"""Rec. 601 weights of red, green and blue in 1/65536, those of Pillow's mode 'L'."""


class UnreadableImage(DatasetError):
    """An image file without usable pixels; `why` holds the short reason."""


def read(path: Path) -> np.ndarray:
    """Read a PNG, JPEG or DICOM file as grey pixels, told apart by content and not by name.

    Colour with equal channels gives that channel exactly, other colour its Rec. 601 luma; alpha is
    ignored. 16-bit PNG keeps 16 bits. DICOM follows `decode_dicom`. EXIF orientation is not applied.

    Returns:
        uint8 or uint16 [H, W], bright = high.

    Raises:
        UnreadableImage: the file is missing, empty, truncated, damaged, or not such an image.
    """
    return read_with_checksum(path)[0]


def read_with_checksum(path: Path) -> tuple[np.ndarray, str]:
    """Return the pixels of `read` and the sha256 (hex) of the file's bytes, reading the file once."""
    try:
        data = read_bytes(path)
        return _decode(data), hashlib.sha256(data).hexdigest()
    except FileNotFoundError:
        reason = "the file is missing"
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split())
    raise UnreadableImage(f"{path} cannot be read as an image", reason, "restore the file, or pass --skip-unreadable")


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Bring grey pixels to 8 bits.

    Args:
        image: uint8 or uint16 [H, W].

    Returns:
        uint8 [H, W]: uint8 as it is; uint16 linearly from its own minimum and maximum to 0..255,
        rounded half up; a constant uint16 image becomes 0.
    """
    if image.dtype == np.uint8:
        return image
    low, high = int(image.min()), int(image.max())
    span = max(high - low, 1)
    levels = (np.arange(span + 1, dtype=np.uint32) * 510 + span) // (2 * span)
    return levels.astype(np.uint8)[image - low]


def _decode(data: bytes) -> np.ndarray:
    """Decode a file's bytes; ValueError carries the reason."""
    if not data:
        raise ValueError("the file has zero bytes")
    if data[128:132] == b"DICM":
        return _grey(decode_dicom(data))
    if data.startswith(_PNG):
        data = _checked_png(data)
    elif data.startswith(_JPEG):
        _check_jpeg(data)
    else:
        raise ValueError("not a PNG, JPEG or DICOM file")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(f"the pixels cannot be decoded ({error.err})") from error
    if pixels is None:
        raise ValueError("the pixels cannot be decoded (damaged data)")
    return _grey(pixels[..., 2::-1] if pixels.ndim == 3 else pixels)


def _grey(pixels: np.ndarray) -> np.ndarray:
    """Reduce [H, W] or RGB [H, W, 3] to grey [H, W] of the same type."""
    if pixels.ndim == 2:
        return pixels
    red, green, blue = (pixels[..., channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return np.ascontiguousarray(red)
    # The weights add up to 65536, so even 16-bit colour stays within uint32.
    luma = red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2] + np.uint32(1 << 15)
    return (luma >> 16).astype(pixels.dtype)


def _checked_png(data: bytes) -> bytes:
    """Walk all chunks with their checksums: decoders only warn, or fill what is missing with zeros.

    Returns the file without its colour profile, which changes no pixel and of which the decoder warns when it does
    not fit.
    """
    position = len(_PNG)
    kept = [data[:position]]
    while len(data) >= position + 12:
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 12 + length
        if end > len(data):
            break
        (expected,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(memoryview(data)[position + 4 : end - 4]) != expected:
            raise ValueError("damaged PNG (a chunk's checksum does not fit)")
        kind = data[position + 4 : position + 8]
        if kind != b"iCCP":
            kept.append(data[position:end])
        if kind == b"IEND":
            return b"".join(kept)
        position = end
    raise ValueError("truncated PNG")


def _check_jpeg(data: bytes) -> None:
    """Walk markers and scans to the end marker: decoders fill what is missing with grey."""
    position = 2
    while found := _JPEG_MARKER.search(data, position):
        marker, position = data[found.end() - 1], found.end()
        if marker == _END_OF_IMAGE:
            return
        if position + 2 > len(data):
            break
        (length,) = struct.unpack_from(">H", data, position)
        position += length
    raise ValueError("truncated JPEG")

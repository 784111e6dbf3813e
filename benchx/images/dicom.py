"""DICOM radiographs to grey pixels, through pydicom's own modality and VOI steps.

Transfer syntaxes and what decodes them:

- implicit, explicit and deflated explicit little endian, explicit big endian, RLE: pydicom itself;
- JPEG baseline: Pillow for grey (three times faster than GDCM, same pixels), GDCM for colour, through pydicom;
- JPEG lossless (process 14, any predictor), JPEG-LS (lossless and near-lossless) and JPEG 2000 (lossless and
  lossy): GDCM through pydicom;
- JPEG extended: GDCM for 8 bits; no decoder for 12 bits;
- high-throughput JPEG 2000 and video: no decoder.

A file that nothing decodes is reported with the name of its transfer syntax. Pixel padding is not masked: padded
pixels pass the same steps as all others.
"""

from __future__ import annotations

import re
import struct
import zlib
from io import BytesIO

import numpy as np
import pydicom
from pydicom.encaps import get_frame
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import JPEG2000, UID, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes

_ENCAPSULATED = re.compile(rb"\xe0\x7f\x10\x00O[BW]\x00\x00\xff{4}")
"""The head of compressed pixel data: its tag, type and undefined length (DICOM PS3.5 A.4)."""

_END_OF_PIXELS = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"

_SIGNS_OF_DAMAGE = (
    InvalidDicomError,
    BytesLengthException,
    struct.error,
    EOFError,
    LookupError,
    ArithmeticError,
    AttributeError,
    TypeError,
)
"""What pydicom raises besides ValueError where bytes are wrong, as found by damaging files at random."""

_DECODED_BY_GDCM = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, JPEG2000Lossless, JPEG2000)

_LAST_OF_HEADER = (0xDA, 0x90)
"""The markers that end the header: JPEG's and JPEG-LS's start of scan, JPEG 2000's start of tile."""

_JPEG_LS_FRAME, _JPEG_2000_SIZE = 0xF7, 0x51


def decode_dicom(data: bytes) -> np.ndarray:
    """Decode one single-frame DICOM file held in memory.

    The stored values pass the modality LUT or rescale, then the first VOI LUT or window (DICOM PS3.3
    C.11.1 and C.11.2, as pydicom applies them). Their full output range, lo to hi as the header
    defines it, becomes 0 to 2^bits - 1 (0 to 255 below 8 bits), rounded; MONOCHROME1 is inverted within that
    range.

    Returns:
        [H, W], or RGB [H, W, 3] for colour: uint8 up to 8 bits, uint16 above.

    Raises:
        ValueError: the file holds no decodable single frame; the text is a short reason.
    """
    # pydicom would warn of a missing end and decode what there is.
    heads = list(_ENCAPSULATED.finditer(data))
    if heads and data.rfind(_END_OF_PIXELS) < heads[-1].end():
        raise ValueError("truncated DICOM")
    try:
        dataset = pydicom.dcmread(BytesIO(data))
        if not dataset.get("PixelData"):
            raise ValueError("the DICOM file has no pixels")
        if int(dataset.get("NumberOfFrames") or 1) != 1:
            raise ValueError(f"the DICOM file has {dataset.NumberOfFrames} frames, not one")
        return _display(_stored(dataset), dataset)
    except NotImplementedError as error:
        raise ValueError(str(error)) from error
    except zlib.error as error:
        raise ValueError("truncated or damaged deflated DICOM") from error
    except _SIGNS_OF_DAMAGE as error:
        raise ValueError(f"damaged DICOM ({type(error).__name__})") from error


def _stored(dataset: pydicom.Dataset) -> np.ndarray:
    syntax = dataset.file_meta.TransferSyntaxUID
    if not _has_decoder(syntax):
        raise ValueError(f"no decoder for the transfer syntax {syntax.name}")
    if syntax in _DECODED_BY_GDCM:
        _check_code_stream(get_frame(dataset.PixelData, 0, number_of_frames=1))
    if syntax == JPEGBaseline8Bit and dataset.SamplesPerPixel == 1:
        dataset.pixel_array_options(decoding_plugin="pillow")
    try:
        return dataset.pixel_array
    except RuntimeError as error:
        raise ValueError(f"the pixels cannot be decoded from the transfer syntax {syntax.name}") from error


def _has_decoder(syntax: UID) -> bool:
    try:
        return bool(get_decoder(syntax).is_available)
    except NotImplementedError:
        return False


def _check_code_stream(frame: bytes) -> None:
    """Refuse the damaged headers of the JPEG family at which GDCM ends the process instead of raising.

    They are whatever libjpeg warns of (bytes between segments, an unknown JFIF or Adobe version) and, in JPEG-LS and
    JPEG 2000, a sample precision beyond 32 bits; more than 16 are of no use here.
    """
    if not frame.startswith((b"\xff\xd8", b"\xff\x4f")):
        return
    position = 2
    while frame[position] == 0xFF:
        while frame[position] == 0xFF:
            position += 1
        marker = frame[position]
        if marker in _LAST_OF_HEADER:
            return
        (length,) = struct.unpack_from(">H", frame, position + 1)
        segment = frame[position + 3 : position + 1 + length]
        newer_jfif = segment.startswith(b"JFIF\0") and segment[5] != 1
        unknown_adobe = segment.startswith(b"Adobe") and segment[11] > 2
        too_deep = (marker == _JPEG_LS_FRAME and segment[0] > 16) or (
            marker == _JPEG_2000_SIZE and segment[36] & 127 > 15
        )
        if newer_jfif or unknown_adobe or too_deep:
            break
        position += 1 + length
    raise ValueError("damaged DICOM (the header of its compressed pixels)")


def _display(stored: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    if stored.ndim == 3 and stored.dtype == np.uint8:
        return stored
    photometric = dataset.PhotometricInterpretation
    if stored.ndim != 2 or stored.dtype.itemsize > 2 or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise ValueError(f"{dataset.BitsAllocated}-bit {photometric} pixels are not supported")
    # DICOM PS3.5 8.1.1 asks for it; pydicom would cut the values of such files instead of shifting them.
    if dataset.HighBit != dataset.BitsStored - 1:
        raise ValueError(f"{dataset.BitsStored}-bit pixels with the high bit {dataset.HighBit} are not supported")
    # Every step maps values one by one, so a table of all values replaces a pass over all pixels.
    first = int(stored.min())
    table = _levels(np.arange(first, int(stored.max()) + 1).astype(stored.dtype), dataset)
    return table[stored.astype(np.int32) - first]


def _levels(values: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    values = apply_modality_lut(values, dataset)
    if dataset.get("VOILUTSequence"):
        # A rescale leaves floats, which pydicom truncates in this step with a warning.
        values = values.astype(np.int64)
    low, high, bits = _output_range(dataset)
    top = 2 ** max(bits, 8) - 1
    levels = (apply_voi_lut(values, dataset).astype(np.float64) - low) * (top / (high - low))
    levels = np.rint(levels).clip(0, top)
    # With a negative slope pydicom's window falls where that of DICOM PS3.3 C.11.2.1.2 rises.
    if (dataset.PhotometricInterpretation == "MONOCHROME1") != _window_falls(dataset):
        levels = top - levels
    return levels.astype(np.uint8 if bits <= 8 else np.uint16)


def _window_falls(dataset: pydicom.Dataset) -> bool:
    windowed = dataset.get("WindowCenter") is not None and not dataset.get("VOILUTSequence")
    rescaled = "RescaleIntercept" in dataset and not dataset.get("ModalityLUTSequence")
    return windowed and rescaled and float(dataset.get("RescaleSlope", 1)) < 0


def _output_range(dataset: pydicom.Dataset) -> tuple[float, float, int]:
    """Return lowest and highest possible value after the VOI step, and the bits that hold them."""
    lut = dataset.get("VOILUTSequence") or dataset.get("ModalityLUTSequence")
    if lut:
        bits = int(lut[0].LUTDescriptor[2])
        return 0.0, 2.0**bits - 1, bits
    bits = int(dataset.BitsStored)
    low = -(2.0 ** (bits - 1)) if dataset.PixelRepresentation else 0.0
    ends = np.array([low, low + 2.0**bits - 1])
    if "RescaleSlope" in dataset and "RescaleIntercept" in dataset:
        ends = ends * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    return float(ends.min()), float(ends.max()), bits

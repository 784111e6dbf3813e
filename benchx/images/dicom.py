"""DICOM radiographs to grey pixels, through pydicom's own modality and VOI steps."""

from __future__ import annotations

import re
from io import BytesIO

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

_ENCAPSULATED = re.compile(rb"\xe0\x7f\x10\x00O[BW]\x00\x00\xff{4}")
"""The head of compressed pixel data: its tag, type and undefined length (DICOM PS3.5 A.4)."""

_END_OF_PIXELS = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"


def decode_dicom(data: bytes) -> np.ndarray:
    """Decode one single-frame DICOM file held in memory.

    The stored values pass the modality LUT or rescale, then the first VOI LUT or window (DICOM PS3.3
    C.11.1 and C.11.2, as pydicom applies them). Their full output range, lo to hi as the header
    defines it, becomes 0 to 2^bits - 1, rounded; MONOCHROME1 is inverted within that range.

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
        if "PixelData" not in dataset:
            raise ValueError("the DICOM file has no pixels")
        if int(dataset.get("NumberOfFrames") or 1) != 1:
            raise ValueError(f"the DICOM file has {dataset.NumberOfFrames} frames, not one")
        return _display(_stored(dataset), dataset)
    except NotImplementedError as error:
        raise ValueError(str(error)) from error
    except (InvalidDicomError, EOFError, LookupError, ArithmeticError, AttributeError, TypeError) as error:
        raise ValueError(f"damaged DICOM ({type(error).__name__})") from error


def _stored(dataset: pydicom.Dataset) -> np.ndarray:
    try:
        return dataset.pixel_array
    except NotImplementedError as error:
        raise ValueError(f"no decoder for the transfer syntax {_syntax(dataset)}") from error
    except RuntimeError as error:
        # pydicom has one error for an absent decoder and for data that no decoder accepts.
        missing = "missing" in str(error)
        what = "no decoder for" if missing else "the pixels cannot be decoded from"
        raise ValueError(f"{what} the transfer syntax {_syntax(dataset)}") from error


def _syntax(dataset: pydicom.Dataset) -> str:
    return str(dataset.file_meta.TransferSyntaxUID.name)


def _display(stored: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    if stored.ndim == 3 and stored.dtype == np.uint8:
        return stored
    photometric = dataset.PhotometricInterpretation
    if stored.ndim != 2 or stored.dtype.itemsize > 2 or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise ValueError(f"{dataset.BitsAllocated}-bit {photometric} pixels are not supported")
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
    top = 2**bits - 1
    levels = (apply_voi_lut(values, dataset).astype(np.float64) - low) * (top / (high - low))
    levels = np.rint(levels).clip(0, top)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        levels = top - levels
    return levels.astype(np.uint8 if bits <= 8 else np.uint16)


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

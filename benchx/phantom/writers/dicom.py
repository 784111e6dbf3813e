"""DICOM radiographs: computed radiography files with the pixels stored plain or as baseline JPEG."""

from __future__ import annotations

import io
import uuid
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, JPEGBaseline8Bit

from benchx.phantom.writers.encoding import encode_jpeg, to_8_bit


def uid(*parts: object) -> str:
    """Return a DICOM UID made from names, the same at every call (PS3.5 B.2, from a UUID)."""
    name = uuid.uuid5(uuid.NAMESPACE_DNS, "phantom.benchx/" + "/".join(map(str, parts)))
    return f"2.25.{name.int}"


def encode_dicom(
    pixels: NDArray[np.uint16],
    *,
    instance: str,
    study: str,
    series: str,
    header: Mapping[str, object],
    jpeg: bool = False,
    inverted: bool = False,
) -> bytes:
    """Encode a rendered image.

    Args:
        pixels: uint16 [H, W], 0 to 4095, bright = dense.
        instance, study, series: UIDs.
        header: further elements by keyword, e.g. `ViewPosition`.
        jpeg: 8 bits as baseline JPEG; else 12 bits in 16, uncompressed.
        inverted: store as MONOCHROME1 (bright = 0).
    """
    dataset = Dataset()
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = instance, study, series
    dataset.Modality, dataset.BodyPartExamined = "CR", "CHEST"
    for keyword, value in header.items():
        setattr(dataset, keyword, value)
    stored = to_8_bit(pixels) if jpeg else pixels
    bits = 8 if jpeg else 12
    if inverted:
        stored = (2**bits - 1 - stored).astype(stored.dtype)
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * stored.itemsize, bits, bits - 1
    if jpeg:
        dataset.LossyImageCompression, dataset.LossyImageCompressionMethod = "01", "ISO_10918_1"
        dataset.PixelData = encapsulate([encode_jpeg(stored.astype(np.uint8))])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    else:
        dataset.PixelData = stored.tobytes()
        dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit if jpeg else ExplicitVRLittleEndian
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()

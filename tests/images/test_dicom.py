"""Reading DICOM, against pydicom's own modality and VOI steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gdcm  # type: ignore[import-untyped]
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import MPEG2MPML, UID, ExplicitVRLittleEndian, JPEG2000Lossless, SecondaryCaptureImageStorage

from benchx.images.decode import UnreadableImage, read


def dicom(path: Path, pixels: np.ndarray, bits: int, photometric: str = "MONOCHROME2", **tags: Any) -> FileDataset:
    """Write an uncompressed DICOM file and return its dataset."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    dataset = FileDataset(path, {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = 8 * pixels.dtype.itemsize
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.save_as(path)
    return dataset


def noise(low: int, high: int, dtype: type = np.uint16) -> np.ndarray:
    image: np.ndarray = np.random.default_rng(0).integers(low, high + 1, (24, 18)).astype(dtype)
    image[0, :2] = low, high
    return image


INVERSE = np.linspace(65535, 0, 4096).round().astype("<u2")


def lut() -> Dataset:
    """A lookup table of 16 bits that inverts 12-bit values."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(INVERSE), 0, 16])
    item.add_new("LUTData", "OW", INVERSE.tobytes())
    return item


WINDOW: dict[str, Any] = {"WindowCenter": 1500, "WindowWidth": 1800}


@pytest.mark.parametrize(
    "tags",
    [
        {},
        WINDOW,
        {**WINDOW, "WindowCenter": [1500, 40], "WindowWidth": [1800, 400]},
        {**WINDOW, "VOILUTFunction": "SIGMOID"},
        {**WINDOW, "VOILUTFunction": "LINEAR_EXACT"},
        {**WINDOW, "RescaleSlope": 2, "RescaleIntercept": -1024},
        {"RescaleSlope": 0.5, "RescaleIntercept": 10},
        {"RescaleSlope": -1, "RescaleIntercept": 4095},
    ],
    ids=lambda tags: "-".join(tags) or "plain",
)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_12_bits_follow_pydicom(tmp_path: Path, tags: dict[str, Any], photometric: str) -> None:
    stored = noise(0, 4095)
    dataset = dicom(tmp_path / "image.dcm", stored, 12, photometric, **tags)
    values = apply_voi_lut(apply_modality_lut(stored, dataset), dataset).astype(np.float64)
    ends = np.array([0.0, 4095.0]) * float(tags.get("RescaleSlope", 1)) + float(tags.get("RescaleIntercept", 0))
    levels = (values - ends.min()) / np.ptp(ends) * 4095
    got = read(tmp_path / "image.dcm")
    assert got.dtype == np.uint16
    np.testing.assert_allclose(got, 4095 - levels if photometric == "MONOCHROME1" else levels, atol=0.5 + 1e-6)


def test_8_bit_pixels_stay_as_stored_and_monochrome1_is_inverted(tmp_path: Path) -> None:
    stored = noise(0, 255, np.uint8)
    for photometric, expected in (("MONOCHROME2", stored), ("MONOCHROME1", 255 - stored)):
        dicom(tmp_path / "image.dcm", stored, 8, photometric)
        got = read(tmp_path / "image.dcm")
        assert got.dtype == np.uint8
        np.testing.assert_array_equal(got, expected)


def test_signed_pixels_begin_at_their_lowest_possible_value(tmp_path: Path) -> None:
    stored = noise(-2048, 2047, np.int16)
    dicom(tmp_path / "image.dcm", stored, 12)
    np.testing.assert_array_equal(read(tmp_path / "image.dcm"), stored.astype(int) + 2048)


@pytest.mark.parametrize("rescaled", [False, True])
def test_a_voi_lut_goes_before_the_window(tmp_path: Path, rescaled: bool) -> None:
    tags: dict[str, Any] = {"RescaleSlope": 1, "RescaleIntercept": 0} if rescaled else {}
    stored = noise(0, 4095)
    dicom(tmp_path / "image.dcm", stored, 12, VOILUTSequence=[lut()], **WINDOW, **tags)
    np.testing.assert_array_equal(read(tmp_path / "image.dcm"), INVERSE[stored])


def test_a_modality_lut_before_a_window(tmp_path: Path) -> None:
    stored = noise(0, 4095)
    tags: dict[str, Any] = {"ModalityLUTSequence": [lut()], "WindowCenter": 30000, "WindowWidth": 20000}
    dataset = dicom(tmp_path / "image.dcm", stored, 12, **tags)
    expected = apply_voi_lut(apply_modality_lut(stored, dataset), dataset)
    np.testing.assert_array_equal(read(tmp_path / "image.dcm"), np.rint(expected))


def test_colour_becomes_luma(tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    dicom(tmp_path / "image.dcm", colour, 8, "RGB")
    luma = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(read(tmp_path / "image.dcm") - luma).max() <= 0.51


@pytest.mark.parametrize("syntax", ["JPEGLosslessProcess14_1", "JPEGLSLossless", "JPEG2000Lossless"])
def test_lossless_compression_changes_nothing(tmp_path: Path, syntax: str) -> None:
    stored = noise(0, 4095)
    dicom(tmp_path / "image.dcm", stored, 12)
    reader = gdcm.ImageReader()
    reader.SetFileName(str(tmp_path / "image.dcm"))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(tmp_path / "packed.dcm"))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    assert pydicom.dcmread(tmp_path / "packed.dcm").file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_array_equal(read(tmp_path / "packed.dcm"), stored)


def reason(path: Path) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read(path)
    return caught.value.why


def test_broken_dicom_files_have_their_reasons(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    dataset = dicom(path, noise(0, 4095), 12)
    whole = path.read_bytes()

    path.write_bytes(whole[: len(whole) - 300])
    assert reason(path)
    path.write_bytes(whole[:140])
    assert reason(path)

    dataset.NumberOfFrames = 2
    dataset.PixelData = dataset.PixelData * 2
    dataset.save_as(path)
    assert "2 frames" in reason(path)

    del dataset.PixelData
    dataset.save_as(path)
    assert reason(path) == "the DICOM file has no pixels"

    dicom(path, noise(0, 4095), 12, WindowCenter=100, WindowWidth=0)
    assert "Window Width" in reason(path)
    dicom(path, noise(0, 255, np.uint8), 8, "PALETTE COLOR")
    assert "PALETTE COLOR" in reason(path)


@pytest.mark.parametrize("keep", [0.5, 0.9, 0.999])
def test_truncated_compressed_pixels_are_found(tmp_path: Path, shared: Path, keep: float) -> None:
    for source in sorted((shared / "data/dicom-sample").glob("*.dcm")):
        data = source.read_bytes()
        kept = int(len(data) * keep)
        for truncated in (data[:kept], data[:kept] + bytes(len(data) - kept)):
            (tmp_path / "image.dcm").write_bytes(truncated)
            assert reason(tmp_path / "image.dcm") == "truncated DICOM"


def test_a_transfer_syntax_without_decoder_is_named(tmp_path: Path) -> None:
    dataset = dicom(tmp_path / "image.dcm", noise(0, 4095), 12)
    dataset.PixelData = encapsulate([b"\x00" * 64])
    dataset.file_meta.TransferSyntaxUID = MPEG2MPML
    dataset.save_as(tmp_path / "image.dcm")
    assert "no decoder for the transfer syntax MPEG2" in reason(tmp_path / "image.dcm")
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.save_as(tmp_path / "image.dcm")
    assert "the transfer syntax JPEG 2000" in reason(tmp_path / "image.dcm")


def test_real_files_follow_pydicom(shared: Path) -> None:
    paths = sorted((shared / "data/dicom-sample").glob("*.dcm"))
    assert paths
    for path in paths:
        dataset = pydicom.dcmread(path)
        expected = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
        inverted = dataset.PhotometricInterpretation == "MONOCHROME1"
        np.testing.assert_array_equal(read(path), 255 - expected if inverted else expected)

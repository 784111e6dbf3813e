"""From stored values to grey levels, against the formulas of the DICOM standard written out here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from benchx.images.decode import UnreadableImage, read, to_uint8


def noise(low: int, high: int, dtype: str = "u2") -> np.ndarray:
    image: np.ndarray = np.random.default_rng(0).integers(low, high + 1, (21, 17)).astype(dtype)
    image[0, :2] = low, high
    return image


def write(folder: Path, pixels: np.ndarray, bits: int, **tags: Any) -> Path:
    """Write a MONOCHROME2 DICOM file, or what the tags make of it."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    dataset = FileDataset("", {}, bytes(128), meta)
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * pixels.dtype.itemsize, bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes() + bytes(pixels.nbytes % 2)
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    path = folder / "image.dcm"
    dataset.save_as(path)
    return path


def linear(x: np.ndarray, centre: float, width: float) -> np.ndarray:
    """PS3.3 C.11.2.1.2.1, as a share of the output range."""
    return np.clip((x - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def linear_exact(x: np.ndarray, centre: float, width: float) -> np.ndarray:
    """PS3.3 C.11.2.1.3.2."""
    return np.clip((x - centre) / width + 0.5, 0, 1)


def sigmoid(x: np.ndarray, centre: float, width: float) -> np.ndarray:
    """PS3.3 C.11.2.1.3.1."""
    return 1 / (1 + np.exp(-4 * (x - centre) / width))


@pytest.mark.parametrize("function", [linear, linear_exact, sigmoid])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (0.25, -100.5), (3, 7), (-1, 4095), (-0.5, 0)])
@pytest.mark.parametrize("signed", [False, True])
def test_windows_follow_the_standard(
    tmp_path: Path, function: Callable[..., np.ndarray], photometric: str, slope: float, intercept: float, signed: bool
) -> None:
    stored = noise(-2048, 2047, "i2") if signed else noise(0, 4095)
    values = stored.astype(float) * slope + intercept
    centre, width = round(values.mean() + 20), round(np.ptp(values) / 3)
    path = write(
        tmp_path,
        stored,
        12,
        PhotometricInterpretation=photometric,
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        WindowCenter=[centre, 1],
        WindowWidth=[width, 2],
        VOILUTFunction=function.__name__.upper(),
    )
    levels = function(values, centre, width) * 4095
    expected = 4095 - levels if photometric == "MONOCHROME1" else levels
    np.testing.assert_allclose(read(path), expected, atol=0.5 + 1e-6)


@pytest.mark.parametrize("bits", [1, 2, 6, 7, 8])
def test_up_to_8_bits_fill_8_bits(tmp_path: Path, bits: int) -> None:
    stored = noise(0, 2**bits - 1, "u1")
    got = read(write(tmp_path, stored, bits))
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, np.rint(stored * (255 / (2**bits - 1))))


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
def test_more_than_8_bits_are_kept(tmp_path: Path, bits: int) -> None:
    stored = noise(0, 2**bits - 1)
    got = read(write(tmp_path, stored, bits))
    assert got.dtype == np.uint16
    np.testing.assert_array_equal(got, stored)


@pytest.mark.parametrize("bits", [8, 12])
def test_a_lookup_table_of_signed_values_starts_at_its_first(tmp_path: Path, bits: int) -> None:
    """PS3.3 C.11.2.1.1: values below the first one mapped take its entry, those above the last one the last."""
    table = np.random.default_rng(1).integers(0, 2**bits, 200).astype("<u2")
    item = Dataset()
    item.add_new("LUTDescriptor", "SS", [len(table), -90, bits])
    item.add_new("LUTData", "OW", table.tobytes())
    stored = noise(-150, 150, "i2")
    got = read(write(tmp_path, stored, 12, VOILUTSequence=[item]))
    np.testing.assert_array_equal(got, table[np.clip(stored.astype(int) + 90, 0, 199)])


def test_bits_above_the_stored_ones_do_not_count(tmp_path: Path) -> None:
    """Old files keep overlays there."""
    stored = noise(0, 4095)
    np.testing.assert_array_equal(read(write(tmp_path, stored | np.uint16(0xA000), 12)), stored)


def test_padding_passes_the_same_steps_as_all_pixels(tmp_path: Path) -> None:
    stored = noise(1000, 2000)
    stored[:5] = 0
    path = write(tmp_path, stored, 12, PixelPaddingValue=0)
    np.testing.assert_array_equal(read(path), stored)
    assert to_uint8(read(path))[5:].min() >= 127


def test_an_odd_number_of_bytes(tmp_path: Path) -> None:
    stored = noise(0, 255, "u1")
    assert stored.size % 2
    np.testing.assert_array_equal(read(write(tmp_path, stored, 8)), stored)


def test_an_empty_window_is_no_window(tmp_path: Path) -> None:
    stored = noise(0, 4095)
    path = write(tmp_path, stored, 12, WindowCenter="", WindowWidth="", RescaleSlope=-1, RescaleIntercept=4095)
    np.testing.assert_array_equal(read(path), 4095 - stored)


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"PixelData": b""}, "the DICOM file has no pixels"),
        ({"HighBit": 15}, "12-bit pixels with the high bit 15 are not supported"),
        ({"VOILUTFunction": "CUBIC", "WindowCenter": 9, "WindowWidth": 9}, "'CUBIC'"),
        ({"Rows": 22}, "less than expected"),
        ({"BitsStored": 20}, "'Bits Stored'"),
        ({"RescaleSlope": 0, "RescaleIntercept": 0}, "damaged DICOM"),
        ({"NumberOfFrames": 3}, "3 frames"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_headers_that_do_not_fit_are_refused(tmp_path: Path, tags: dict[str, Any], why: str) -> None:
    with pytest.raises(UnreadableImage) as caught:
        read(write(tmp_path, noise(0, 4095), 12, **tags))
    assert why in caught.value.why


def test_deep_colour_is_refused(tmp_path: Path) -> None:
    pixels = noise(0, 4095)[:21, :15]
    path = write(
        tmp_path, pixels, 16, Columns=5, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0
    )
    with pytest.raises(UnreadableImage, match="16-bit RGB"):
        read(path)

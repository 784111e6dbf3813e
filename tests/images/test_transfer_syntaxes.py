"""DICOM in every transfer syntax that is read: written here, and in the sample files of pydicom."""

from __future__ import annotations

import struct
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import cv2
import gdcm  # type: ignore[import-untyped]
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    HTJ2K,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from benchx.images.decode import UnreadableImage, read
from benchx.phantom.patients import make_patient
from benchx.phantom.render import render


def radiograph(bits: int, signed: bool = False) -> np.ndarray:
    """A phantom [64, 61] whose values fill so many bits; an odd width, so that 8-bit rows have odd lengths."""
    pixels = render(make_patient(1, 0), 0, 64).pixels[:, :61].astype(np.int64)
    pixels += np.random.default_rng(0).integers(0, 8, pixels.shape)
    stretched = (pixels - pixels.min()) * (2**bits - 1) // np.ptp(pixels)
    return (stretched - signed * 2 ** (bits - 1)).astype(f"{'i' if signed else 'u'}{1 if bits <= 8 else 2}")


def dataset_of(pixels: np.ndarray, bits: int, syntax: UID = ExplicitVRLittleEndian) -> FileDataset:
    """An uncompressed DICOM dataset of grey pixels."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    little = syntax != ExplicitVRBigEndian
    dataset = FileDataset("", {}, bytes(128), meta, syntax == ImplicitVRLittleEndian, little)
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * pixels.dtype.itemsize, bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    data = pixels.astype(pixels.dtype.newbyteorder("<" if little else ">")).tobytes()
    dataset.PixelData = data + bytes(len(data) % 2)
    dataset["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    return dataset


def compressed(dataset: FileDataset, folder: Path, syntax: int, codec: gdcm.ImageCodec | None = None) -> Path:
    """Write a dataset compressed by GDCM."""
    dataset.save_as(folder / "plain.dcm")
    reader = gdcm.ImageReader()
    reader.SetFileName(str(folder / "plain.dcm"))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    if codec is not None:
        change.SetUserCodec(codec)
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    path = folder / "compressed.dcm"
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return path


def above_lowest(pixels: np.ndarray, bits: int) -> np.ndarray:
    """What a file without rescale or window shows: values counted from the lowest one possible."""
    return pixels.astype(int) + (2 ** (bits - 1) if pixels.dtype.kind == "i" else 0)


depths = pytest.mark.parametrize(
    ("bits", "signed"), [(8, False), (10, False), (12, False), (16, False), (12, True), (16, True)]
)


@depths
@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
    ids=lambda syntax: syntax.keyword,
)
def test_uncompressed_and_deflated(tmp_path: Path, syntax: UID, bits: int, signed: bool) -> None:
    pixels = radiograph(bits, signed)
    dataset_of(pixels, bits, syntax).save_as(tmp_path / "image.dcm")
    np.testing.assert_array_equal(read(tmp_path / "image.dcm"), above_lowest(pixels, bits))


@depths
def test_run_lengths(tmp_path: Path, bits: int, signed: bool) -> None:
    pixels = radiograph(bits, signed)
    dataset = dataset_of(pixels, bits)
    dataset.compress(RLELossless)
    dataset.save_as(tmp_path / "image.dcm")
    np.testing.assert_array_equal(read(tmp_path / "image.dcm"), above_lowest(pixels, bits))


@depths
@pytest.mark.parametrize(
    "syntax",
    ["JPEGLosslessProcess14", "JPEGLosslessProcess14_1", "JPEGLSLossless", "JPEG2000Lossless", "RLELossless"],
)
def test_lossless_compression_gives_the_stored_pixels(tmp_path: Path, syntax: str, bits: int, signed: bool) -> None:
    pixels = radiograph(bits, signed)
    path = compressed(dataset_of(pixels, bits), tmp_path, getattr(gdcm.TransferSyntax, syntax))
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_array_equal(read(path), above_lowest(pixels, bits))


def lossless_jpeg(pixels: np.ndarray, bits: int, predictor: int) -> bytes:
    """Encode a lossless JPEG (ITU-T T.81, annex H) with codes of 5 bits for the sizes of the differences."""
    x = pixels.astype(np.int64)
    left, above, corner = np.roll(x, 1, 1), np.roll(x, 1, 0), np.roll(x, (1, 1), (0, 1))
    predicted = {
        1: left,
        2: above,
        3: corner,
        4: left + above - corner,
        5: left + ((above - corner) >> 1),
        6: above + ((left - corner) >> 1),
        7: (left + above) >> 1,
    }[predictor]
    predicted[:, 0], predicted[0] = above[:, 0], left[0]
    predicted[0, 0] = 2 ** (bits - 1)
    difference = (x - predicted + 2**15) % 2**16 - 2**15
    code = ""
    for value in difference.ravel().tolist():
        size = abs(value).bit_length()
        offset = value if value > 0 else value + 2**size - 1
        code += f"{size:05b}" + (f"{offset:0{size}b}" if 0 < size < 16 else "")
    code += "1" * (-len(code) % 8)
    scan = int(code, 2).to_bytes(len(code) // 8, "big").replace(b"\xff", b"\xff\x00")
    frame = struct.pack(">HHBHHBBBB", 0xFFC3, 11, bits, *x.shape, 1, 1, 0x11, 0)
    table = struct.pack(">HHB", 0xFFC4, 19 + 17, 0) + bytes([0, 0, 0, 0, 17] + [0] * 11) + bytes(range(17))
    start = struct.pack(">HHBBBBBB", 0xFFDA, 8, 1, 1, 0, predictor, 0, 0)
    return b"\xff\xd8" + frame + table + start + scan + b"\xff\xd9"


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_lossless_jpeg_of_every_predictor(tmp_path: Path, bits: int, predictor: int) -> None:
    pixels = radiograph(bits)
    path = with_stream(tmp_path / "image.dcm", lossless_jpeg(pixels, bits, predictor), bits, JPEGLossless)
    np.testing.assert_array_equal(read(path), pixels)


def with_stream(path: Path, stream: bytes, bits: int, syntax: UID) -> Path:
    """Write a DICOM file around a compressed image."""
    dataset = dataset_of(radiograph(bits), bits, syntax)
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path)
    return path


def baseline_jpeg() -> bytes:
    stream = BytesIO()
    Image.fromarray(radiograph(8)).save(stream, "JPEG", quality=80)
    return stream.getvalue()


def test_baseline_jpeg_equals_gdcm_and_opencv(tmp_path: Path) -> None:
    path = with_stream(tmp_path / "image.dcm", baseline_jpeg(), 8, JPEGBaseline8Bit)
    dataset = pydicom.dcmread(path)
    dataset.pixel_array_options(decoding_plugin="gdcm")
    np.testing.assert_array_equal(read(path), dataset.pixel_array)
    np.testing.assert_array_equal(
        read(path), cv2.imdecode(np.frombuffer(baseline_jpeg(), np.uint8), cv2.IMREAD_UNCHANGED)
    )


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("error", [1, 3])
def test_near_lossless_jpeg_ls_stays_within_its_error(tmp_path: Path, bits: int, error: int) -> None:
    codec = gdcm.JPEGLSCodec()
    codec.SetLossless(False)
    codec.SetLossyError(error)
    pixels = radiograph(bits)
    path = compressed(dataset_of(pixels, bits), tmp_path, gdcm.TransferSyntax.JPEGLSNearLossless, codec)
    off = np.abs(read(path).astype(int) - pixels)
    assert 0 < off.max() <= error


@pytest.mark.parametrize("bits", [8, 16])
def test_lossy_jpeg_2000_equals_pillow(tmp_path: Path, bits: int) -> None:
    codec = gdcm.JPEG2000Codec()
    codec.SetReversible(False)
    codec.SetRate(0, 4)
    pixels = radiograph(bits)
    path = compressed(dataset_of(pixels, bits), tmp_path, gdcm.TransferSyntax.JPEG2000, codec)
    frame = get_frame(pydicom.dcmread(path).PixelData, 0, number_of_frames=1)
    with Image.open(BytesIO(frame)) as image:
        expected = np.asarray(image).astype(int)
    assert np.abs(read(path) - expected).max() <= 1
    assert (expected != pixels).any()


def sample(name: str) -> Path:
    """A sample file of pydicom or pydicom-data, never downloaded."""
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return Path(str(path))


@pytest.mark.parametrize(
    "name",
    ["implicit", "bigendian", "expb", "RLE", "jp2klossless", "jpeg_ls_lossless"],
)
def test_one_slice_in_seven_transfer_syntaxes(name: str) -> None:
    np.testing.assert_array_equal(read(sample(f"MR_small_{name}.dcm")), read(sample("MR_small.dcm")))


@pytest.mark.parametrize("film", ["RG1", "RG3"])
@pytest.mark.parametrize(("compression", "original", "tolerance"), [("J2KR", "UNCR", 0), ("J2KI", "UNCI", 1)])
def test_real_radiographs_of_the_compression_group(film: str, compression: str, original: str, tolerance: int) -> None:
    """R is reversible; of I, the `UNC` file is what another decoder made of the compressed one."""
    got, expected = (read(sample(f"{film}_{part}.dcm")).astype(int) for part in (compression, original))
    assert np.abs(got - expected).max() <= tolerance
    assert got.shape == {"RG1": (1955, 1841), "RG3": (1760, 1760)}[film]


def reason(path: Path) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read(path)
    return caught.value.why


def test_extended_jpeg_of_12_bits_is_named() -> None:
    assert "the transfer syntax JPEG Extended" in reason(sample("JPGExtended.dcm"))


@pytest.mark.parametrize("syntax", [HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL], ids=lambda syntax: syntax.keyword)
def test_high_throughput_jpeg_2000_is_named(tmp_path: Path, syntax: UID) -> None:
    path = with_stream(tmp_path / "image.dcm", b"\xff\x4f\xff\x51" + bytes(60), 12, syntax)
    assert reason(path) == f"no decoder for the transfer syntax {syntax.name}"


@pytest.mark.parametrize(
    "change", [(b"JFIF\0\1", b"JFIF\0\2"), (b"\xff\xdb", b"\0\0\xff\xdb")], ids=["version", "bytes"]
)
def test_jpeg_headers_that_libjpeg_warns_of_are_refused(tmp_path: Path, change: tuple[bytes, bytes]) -> None:
    """GDCM would end this process with the tests."""
    path = with_stream(tmp_path / "image.dcm", baseline_jpeg().replace(*change, 1), 8, JPEGBaseline8Bit)
    assert reason(path) == "damaged DICOM (the header of its compressed pixels)"


@pytest.mark.parametrize(
    ("syntax", "head", "precision"), [("JPEGLSLossless", b"\xff\xf7", 4), ("JPEG2000Lossless", b"\xff\x51", 40)]
)
def test_impossible_precisions_are_refused(tmp_path: Path, syntax: str, head: bytes, precision: int) -> None:
    """GDCM would end this process with the tests."""
    path = compressed(dataset_of(radiograph(12), 12), tmp_path, getattr(gdcm.TransferSyntax, syntax))
    data = bytearray(path.read_bytes())
    data[data.rindex(head) + precision] = 100
    path.write_bytes(data)
    assert reason(path) == "damaged DICOM (the header of its compressed pixels)"


@pytest.mark.parametrize("keep", [0.4, 0.7, 0.99])
def test_a_truncated_deflated_file(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "image.dcm"
    dataset_of(radiograph(12), 12, DeflatedExplicitVRLittleEndian).save_as(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    assert reason(path) == "truncated or damaged deflated DICOM"


def test_an_offset_table_beyond_the_end_and_a_number_of_odd_length(tmp_path: Path) -> None:
    path = with_stream(tmp_path / "image.dcm", baseline_jpeg(), 8, JPEGBaseline8Bit)
    whole = path.read_bytes()
    table = whole.index(b"\xfe\xff\x00\xe0") + 4
    path.write_bytes(whole[:table] + struct.pack("<I", 2**20) + whole[table + 4 :])
    assert reason(path) == "damaged DICOM (error)"
    rows = b"\x28\0\x10\0US" + struct.pack("<HH", 2, 64)
    path.write_bytes(whole.replace(rows, b"\x28\0\x10\0US\1\0\x40"))
    assert reason(path) == "damaged DICOM (BytesLengthException)"


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("name", ["RLE", "jp2klossless", "jpeg_ls_lossless", "implicit", "bigendian"])
def test_bytes_changed_at_random_give_pixels_or_a_reason(tmp_path: Path, name: str) -> None:
    whole = sample(f"MR_small_{name}.dcm").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(20):
        data = bytearray(whole)
        for position in rng.integers(132, 3000, 4):
            data[position] = rng.integers(256)
        (tmp_path / "image.dcm").write_bytes(data)
        with suppress(UnreadableImage):
            assert read(tmp_path / "image.dcm").ndim == 2

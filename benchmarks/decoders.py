"""How fast the decoders in use are beside the alternatives that are installed anyway.

Run: python benchmarks/decoders.py [--images 12]
Phantom radiographs of 1024 x 1024, from memory, one thread, in CPU seconds; the sides take turns. In DICOM files,
Pillow and GDCM are plugins of pydicom, except for run lengths, which GDCM decodes by itself.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from io import BytesIO

import cv2
import gdcm  # type: ignore[import-untyped]
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from benchx.images.decode import to_uint8
from benchx.phantom.patients import make_patient
from benchx.phantom.render import render

SIDE = 1024
Decoder = Callable[[bytes], np.ndarray]


def dicom(pixels: np.ndarray, bits: int) -> FileDataset:
    """Make an uncompressed DICOM dataset."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    dataset = FileDataset("", {}, bytes(128), meta)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * pixels.dtype.itemsize, bits, bits - 1
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


def written(dataset: FileDataset) -> bytes:
    stream = BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def run_lengths(pixels: np.ndarray) -> bytes:
    dataset = dicom(pixels, 12)
    dataset.compress(RLELossless)
    return written(dataset)


def jpeg_2000(pixels: np.ndarray) -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG2000", no_jp2=True)
    return encapsulated(dicom(pixels, 16), stream.getvalue(), JPEG2000Lossless)


def baseline(pixels: np.ndarray) -> bytes:
    return encapsulated(dicom(pixels, 8), encoded(".jpg")(pixels), JPEGBaseline8Bit)


def encapsulated(dataset: FileDataset, stream: bytes, syntax: UID) -> bytes:
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = pydicom.encaps.encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    return written(dataset)


def encoded(suffix: str) -> Callable[[np.ndarray], bytes]:
    """Return the encoder for a suffix with OpenCV's settings: JPEG of quality 95, fast PNG."""
    return lambda pixels: cv2.imencode(suffix, pixels)[1].tobytes()


def with_cv2(data: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))


def with_pillow(data: bytes) -> np.ndarray:
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image)


def with_pydicom(plugin: str) -> Decoder:
    def decode(data: bytes) -> np.ndarray:
        dataset = pydicom.dcmread(BytesIO(data))
        dataset.pixel_array_options(decoding_plugin=plugin)
        return dataset.pixel_array

    return decode


def with_gdcm(data: bytes) -> np.ndarray:
    """Decode run lengths, for which pydicom has no plugin of GDCM."""
    dataset = pydicom.dcmread(BytesIO(data))
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1))
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((SIDE, SIDE, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.RLELossless))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, 12, 11, 0))
    return np.frombuffer(image.GetBuffer().encode("utf-8", "surrogateescape"), np.uint16).reshape(SIDE, SIDE)


def images_per_second(decode: Decoder, files: list[bytes]) -> float:
    started = time.process_time()
    for data in files:
        decode(data)
    return len(files) / (time.process_time() - started)


def compare(name: str, files: list[bytes], in_use: tuple[str, Decoder], other: tuple[str, Decoder]) -> None:
    """Print the speeds of two decoders and their ratio, after checking that they give the same pixels."""
    if not all(np.array_equal(in_use[1](data), other[1](data)) for data in files):
        raise SystemExit(f"{name}: {in_use[0]} and {other[0]} do not give the same pixels")
    best = [0.0, 0.0]
    for _ in range(3):
        best = [
            max(speed, images_per_second(side[1], files)) for speed, side in zip(best, (in_use, other), strict=True)
        ]
    print(
        f"{name:16s} {sum(map(len, files)) / len(files) / 1e6:5.2f} MB   in use: {in_use[0]:8s} {best[0]:6.1f} images/s"
        f"   {other[0]:8s} {best[1]:6.1f} images/s   ratio {best[0] / best[1]:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=12)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    deep = [render(make_patient(1, index), 0, SIDE).pixels for index in range(arguments.images)]
    flat = [to_uint8(pixels) for pixels in deep]
    cv, pillow, own = ("OpenCV", with_cv2), ("Pillow", with_pillow), ("pydicom", with_pydicom("pydicom"))
    through_gdcm, through_pillow = ("GDCM", with_pydicom("gdcm")), ("Pillow", with_pydicom("pillow"))
    print(f"{arguments.images} phantoms of {SIDE} x {SIDE}, best of 3 rounds, CPU time of one thread")
    compare("PNG, 8 bits", [encoded(".png")(pixels) for pixels in flat], cv, pillow)
    compare("PNG, 16 bits", [encoded(".png")(pixels) for pixels in deep], cv, pillow)
    compare("JPEG, quality 95", [encoded(".jpg")(pixels) for pixels in flat], cv, pillow)
    compare("DICOM RLE", [run_lengths(pixels) for pixels in deep], own, ("GDCM", with_gdcm))
    compare("DICOM JPEG", [baseline(pixels) for pixels in flat], through_pillow, through_gdcm)
    compare("DICOM JPEG 2000", [jpeg_2000(pixels) for pixels in deep], through_gdcm, through_pillow)


if __name__ == "__main__":
    main()

"""DICOM files written for a test."""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid


def dicom(pixels: NDArray[np.generic], *, bits: int = 0, **elements: Any) -> bytes:
    """A file with these pixels, (h, w) or (h, w, 3), and other elements by their keywords."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = elements.pop("syntax", ExplicitVRLittleEndian)
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["a test"])
    file = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    allocated = 8 * pixels.dtype.itemsize
    stated: dict[str, Any] = {
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 1 if pixels.ndim == 2 else 3,
        "PhotometricInterpretation": "MONOCHROME2" if pixels.ndim == 2 else "RGB",
        "BitsAllocated": allocated,
        "BitsStored": bits or allocated,
        "HighBit": (bits or allocated) - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "PatientName": "Doe^Jane",
    }
    if pixels.ndim == 3:
        stated["PlanarConfiguration"] = 0
    for keyword, value in {**stated, **elements}.items():
        setattr(file, keyword, value)
    if "PixelData" not in elements:
        file.PixelData = pixels.tobytes()
    stream = BytesIO()
    file.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def lookup_table(first: int, entries: list[int], bits: int, *, is_words: bool) -> Dataset:
    """An item of a modality or VOI LUT sequence, its entries as numbers or as OW."""
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 65536, first, bits]
    data = np.array(entries, "<u2")
    item.add_new("LUTData", "OW" if is_words else "US", data.tobytes() if is_words else entries)
    return item

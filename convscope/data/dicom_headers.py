"""What the header of a DICOM file says, without its pixels."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from convscope.data.dicom import is_dicom, pydicom_errors
from convscope.data.medical_libraries import library
from convscope.data.pillow_settings import READER_ERRORS, quiet_pillow
from convscope.regular_files import open_regular

_DEFLATED = b"1.2.840.10008.1.2.1.99"  # the syntax of files that are inflated as a whole


def read_header(file: Path | bytes, keywords: Sequence[str]) -> Any | None:
    """The elements with these keywords, of a DICOM file by its path or content, as a data set of
    pydicom: what lies behind the last of them is not read.

    None for other files, for those that cannot be read or are deflated, and without pydicom.
    """
    try:
        with quiet_pillow(), open_file(file) as stream:
            head = stream.read(2048)
            if not is_dicom(head) or _DEFLATED in head:
                return None
            stream.seek(0)
            tags = [*map(library("pydicom.tag").Tag, keywords)]
            last = max(tags)

            def is_behind(tag: int, _vr: str | None, _length: int) -> bool:
                return tag > last

            reader = library("pydicom.filereader")
            return reader.read_partial(stream, is_behind, specific_tags=tags)
    except (*READER_ERRORS, *pydicom_errors()):
        return None


def text_of(header: Any, keyword: str) -> str:
    """The value of an element in one line; "" if there is none."""
    return " ".join(str(header.get(keyword) or "").replace("\0", " ").split())


def open_file(file: Path | bytes) -> BinaryIO:
    """A file by its path, or by its content."""
    return BytesIO(file) if isinstance(file, bytes) else open_regular(file)

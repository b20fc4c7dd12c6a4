"""The files of Pascal VOC: an annotation in XML for each image, and lists of images."""

from pathlib import Path
from xml.etree import ElementTree as ET

from convscope.errors import RequestError
from convscope.regular_files import read_regular

_MAX_BYTES = 10_000_000  # of one file


def read_annotation(path: Path) -> ET.Element:
    """The XML of one image. Raises RequestError."""
    text = read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise RequestError(f"{path} declares a document type, which no annotation needs.")
    try:
        return ET.fromstring(text)  # noqa: S314  without entities, of bounded size
    except ET.ParseError as error:
        raise RequestError(f"{path} cannot be read ({error}).") from error


def read_text(path: Path) -> str:
    """The text of a file. Raises RequestError."""
    try:
        return read_regular(path, limit=_MAX_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} cannot be read ({error}).") from error

"""The images of a request: a file alone, a form with files, or base64 in JSON."""

import base64
import binascii
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from convscope.errors import RequestError
from convscope.http_server.access import Refusal
from convscope.strict import parse_json

_LONGEST_NAME = 255
_CURL = "application/x-www-form-urlencoded"  # what curl says of any body unless told otherwise
_PLAIN = ("application/octet-stream", "application/dicom", _CURL, "")
_PART_HEADERS, _PART_HEADER_BYTES = 8, 4096

FORMS = (
    "Send an image as the body (Content-Type: image/jpeg), files as multipart/form-data, or JSON: "
    '{"images": ["BASE64", ...]}.'
)


@dataclass(frozen=True)
class NamedImage:
    """The content of an image file, and its name if the client gave one."""

    data: bytes
    name: str | None = None


def parse_images(body: bytes, content_type: str, *, most: int) -> Sequence[NamedImage]:
    """The images of a body.

    Raises Refusal: 400 for a malformed body and for one without images, 413 for more than `most`,
    415 for a content type that has none.
    """
    kind, options = parse_options_header(content_type.encode("latin-1"))
    media = kind.decode("latin-1")
    if media == "multipart/form-data":
        images = _of_form(body, options.get(b"boundary", b""), most)
    elif media == "application/json" or media.endswith("+json"):
        images = _of_json(body, most)
    elif media.startswith("image/") or media in _PLAIN:
        images = [NamedImage(body)] if body else []
    else:
        raise Refusal(415, f"There are no images in {media[:100]!r}. {FORMS}")
    if not images:
        raise Refusal(400, f"The request has no image. {FORMS}")
    return images


def check_count(count: int, most: int) -> None:
    """Raise Refusal for more than `most` images."""
    if count > most:
        raise Refusal(413, f"A request has up to {most} images.")


def decompress(body: bytes, encoding: str, *, limit: int) -> bytes:
    """A body without its Content-Encoding, gzip or deflate, of up to `limit` bytes.

    Raises Refusal for a longer one (413), as soon as it is too long, and a damaged one (400).
    """
    if encoding in ("", "identity"):
        return body
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip's header or zlib's
    try:
        content = reader.decompress(body, limit + 1)
    except zlib.error as error:
        raise Refusal(400, f"The body is not {encoding}: {error}.") from error
    if len(content) > limit:
        raise Refusal(413, f"A body of up to {limit >> 20} MB is read here, uncompressed.")
    if not reader.eof or reader.unused_data:
        raise Refusal(400, f"The body is not one complete {encoding} stream.")
    return content


def decode_base64(text: str) -> bytes:
    """Bytes of base64, with or without `data:image/png;base64,` in front.

    Raises Refusal for anything else.
    """
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal(400, f"An image is not valid base64: {error}.") from error


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body, strictly. Raises Refusal for anything else."""
    try:
        value = parse_json(body.decode("utf-8"), where="The body", is_raw=True)
    except UnicodeDecodeError as error:
        raise Refusal(400, "The body is not UTF-8.") from error
    except RequestError as error:
        raise Refusal(400, str(error)) from error
    if not isinstance(value, dict):
        raise Refusal(400, "The body is not a JSON object.")
    return cast("dict[str, Any]", value)


def _of_json(body: bytes, most: int) -> Sequence[NamedImage]:
    content = parse_object(body)
    if unknown := sorted(content.keys() - {"image", "images"}):
        raise Refusal(400, f"The body has the unknown key {unknown[0][:100]!r}. {FORMS}")
    images = content.get("images", [])
    texts: list[object] = [*images] if isinstance(images, list) else [None]
    if "image" in content:
        texts.append(content["image"])
    check_count(len(texts), most)
    if not all(isinstance(text, str) for text in texts):
        raise Refusal(400, f"Each image is base64 in a text. {FORMS}")
    return [NamedImage(decode_base64(cast("str", text))) for text in texts]


def _of_form(body: bytes, boundary: bytes, most: int) -> Sequence[NamedImage]:
    if not 0 < len(boundary) <= 200:
        raise Refusal(400, "multipart/form-data needs a boundary.")
    parts = _Parts(most)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": parts.begin,
                "on_header_field": parts.header_name,
                "on_header_value": parts.header_value,
                "on_header_end": parts.header_end,
                "on_part_data": parts.data,
                "on_part_end": parts.end,
                "on_end": parts.finish,
            },
            max_header_count=_PART_HEADERS,
            max_header_size=_PART_HEADER_BYTES,
        )
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise Refusal(400, "The form is malformed.") from error
    if not parts.is_complete:
        raise Refusal(400, "The form is cut off: its last boundary is missing.")
    return parts.images


class _Parts:
    """Collects the files of a form; fields without a file name are not images."""

    def __init__(self, most: int) -> None:
        self.images: list[NamedImage] = []
        self.is_complete = False
        self._most, self._count = most, 0

    def begin(self) -> None:
        self._count += 1
        check_count(self._count, self._most)
        self._name = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._chunks: list[bytes] = []

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def data(self, data: bytes, start: int, end: int) -> None:
        self._chunks.append(data[start:end])

    def end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"filename")
        if name is None:
            raise Refusal(400, "A field of the form is no file. Each part is an image.")
        text = name.decode("utf-8", "replace")[-_LONGEST_NAME:]
        self.images.append(NamedImage(b"".join(self._chunks), text))

    def finish(self) -> None:
        self.is_complete = True

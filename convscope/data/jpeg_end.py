"""JPEGs that lack their end: whether all of their pixels are there nevertheless.

libjpeg invents what is missing, and Pillow does not pass on its warnings. So the file is completed
in two ways, with noise and with its complement: where both decode to the same pixels, none of them
depends on what is missing.
"""

import re
from hashlib import sha256

START_OF_IMAGE, START_OF_SCAN, END_OF_IMAGE = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_FRAMES = frozenset(b"\xc0\xc1\xc2\xc9\xca")  # that begin a frame of Huffman or arithmetic codes
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_NOISE = bytes(byte for byte in sha256(b"noise").digest() * 4 if byte not in (0x00, 0xFF))


def lacks_end(jpeg: bytes) -> bool:
    """Whether content is a JPEG without an end behind its last scan."""
    if not jpeg.startswith(START_OF_IMAGE) or jpeg.endswith(END_OF_IMAGE):
        return False
    return jpeg.rfind(END_OF_IMAGE) < jpeg.rfind(START_OF_SCAN)


def completions(jpeg: bytes) -> tuple[bytes, bytes] | None:
    """Two files that go on differently where a JPEG without its end stops; None if it lacks scans.

    If their pixels are equal, all that the JPEG should have are there.
    """
    if not lacks_end(jpeg) or not _has_all_scans(jpeg):
        return None
    jpeg = jpeg.removesuffix(b"\xff")  # the first byte of the end
    restarts = _RESTART.findall(jpeg, jpeg.rfind(START_OF_SCAN))
    following = restarts[-1][1] + 1 if restarts else 0
    first, second = (
        noise + b"".join(bytes([0xFF, 0xD0 | (following + n) % 8]) + noise for n in range(8))
        for noise in (_NOISE, bytes(0xFF - byte for byte in _NOISE))
    )
    return jpeg + first + END_OF_IMAGE, jpeg + second + END_OF_IMAGE


def _has_all_scans(jpeg: bytes) -> bool:
    """Whether every coefficient of every component has a scan with its last bit.

    A progressive JPEG that was cut between two scans decodes without a complaint, but blurred.
    """
    missing: set[tuple[int, int]] | None = None
    at = len(START_OF_IMAGE)
    while found := _MARKER.search(jpeg, at):
        at = found.end() + int.from_bytes(jpeg[found.end() : found.end() + 2])
        segment = jpeg[found.end() + 2 : at]
        if found[0][1] in _FRAMES:
            missing = {(component, index) for component in segment[6::3] for index in range(64)}
        elif found[0] == START_OF_SCAN and missing is not None:
            count = segment[0] if segment else 0
            if len(segment) != 2 * count + 4:
                return False
            first, last, bits = segment[2 * count + 1 :]
            if bits & 0x0F == 0:
                components = segment[1 : 2 * count + 1 : 2]
                missing -= {(c, index) for c in components for index in range(first, last + 1)}
    return missing is not None and not missing

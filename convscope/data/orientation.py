"""How an image is to be turned: the orientation that EXIF states."""

from PIL import Image

from convscope.data.pillow_settings import READER_ERRORS

ORIENTATION = 0x0112  # of EXIF

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that undoes each EXIF orientation; 1 is upright."""

SIDEWAYS = (5, 6, 7, 8)
"""Orientations that swap width and height."""


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation; 1 if it cannot be read."""
    if image.format == "JPEG" and image.info.keys().isdisjoint(("exif", "xmp")):
        return 1
    try:
        return image.getexif().get(ORIENTATION, 1)
    except READER_ERRORS:
        return 1

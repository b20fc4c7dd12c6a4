"""simplejpeg, where it is installed, changes no bit and refuses nothing else."""

from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convscope.data import turbo
from convscope.data.decode import UnreadableImage, decode_image
from convscope.data.turbo import decode_frame, is_used, read_frame
from tests.data.test_fast_reading import blob, card, noise
from tests.data.test_truncated import encoded

ASKED = card(40, resize_mode="stretch")
RANDOM = np.random.default_rng(0)


has_simplejpeg = pytest.mark.skipif(
    find_spec("simplejpeg") is None, reason="simplejpeg is not installed"
)


def outcome(content: bytes, asked) -> bytes | str:
    try:
        image = decode_image(content, asked)
    except UnreadableImage as error:
        return str(error)
    pixels = np.asarray(image)
    return f"{pixels.shape}".encode() + pixels.tobytes()


OPTIONS = st.fixed_dictionaries(
    {
        "quality": st.integers(1, 100),
        "progressive": st.booleans(),
        "optimize": st.booleans(),
        "subsampling": st.sampled_from([0, 1, 2]),
        "restart_marker_blocks": st.integers(0, 4),
    }
)


@has_simplejpeg
@given(st.tuples(*[st.integers(1, 50)] * 2), OPTIONS, st.sampled_from(["L", "RGB"]), st.booleans())
def test_its_pixels_are_pillows(size, options, kind, is_noise):
    if kind == "L":
        options.pop("subsampling")
    content = encoded((noise if is_noise else blob)(*size).convert(kind), "JPEG", **options)
    frame = read_frame(content)
    assert (frame.size, frame.mode, frame.is_plain) == (size, kind, True)
    decoded = decode_frame(content, frame)
    assert np.array_equal(decoded, Image.open(BytesIO(content)))
    assert np.array_equal(decode_image(content, ASKED), decoded)


@has_simplejpeg
def test_it_is_used_also_where_there_are_metadata(monkeypatch):
    calls = []
    decode = turbo.decode_frame
    monkeypatch.setattr(
        "convscope.data.jpeg.decode_frame", lambda *given: calls.append(1) or decode(*given)
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(blob(50, 30), "JPEG", exif=exif)
    image = decode_image(content, ASKED)
    assert image.size == (30, 50)
    assert calls
    assert np.array_equal(image, decode_image(content))
    decode_image(content, replace(ASKED, reading="whole"))
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("kind", "options"), [("RGB", {"keep_rgb": True}), ("CMYK", {}), ("RGB", {"comment": b"x"})]
)
def test_other_kinds_are_read_alike(kind, options):
    content = encoded(noise(33, 21).convert(kind), "JPEG", **options)
    assert outcome(content, ASKED) == outcome(content, None)


@has_simplejpeg
@pytest.mark.parametrize("sampling", ["4:2:2", "4:2:0"])
@pytest.mark.parametrize("is_progressive", [False, True])
def test_damaged_files_are_read_and_refused_alike(sampling, is_progressive):
    whole = encoded(blob(67, 45), "JPEG", subsampling=sampling, progressive=is_progressive)
    found = set()
    for trial in range(300):
        content = bytearray(whole)
        for place in RANDOM.integers(2, min(len(whole), 640) if trial % 2 else len(whole), 2):
            content[place : place + RANDOM.integers(0, 2)] = RANDOM.bytes(RANDOM.integers(0, 2))
        expected = outcome(bytes(content), None)
        assert outcome(bytes(content), ASKED) == expected
        found.add(type(expected))
    assert found == {bytes, str}


def test_without_it_pillow_decodes(monkeypatch):
    def missing(name):
        raise ImportError(name)

    content = encoded(blob(50, 30), "JPEG")
    expected = outcome(content, None)
    turbo._decoder.cache_clear()
    monkeypatch.setattr(turbo, "import_module", missing)
    assert not is_used()
    assert isinstance(decode_image(content, ASKED), Image.Image)
    assert outcome(content, ASKED) == expected
    turbo._decoder.cache_clear()


def test_another_decoder_than_pillows_is_not_used(monkeypatch):
    class Other:
        @staticmethod
        def decode_jpeg(jpeg, colorspace):
            return np.asarray(Image.open(BytesIO(jpeg)).convert(colorspace)) ^ 1

    turbo._decoder.cache_clear()
    monkeypatch.setattr(turbo, "import_module", lambda name: Other)
    assert not is_used()
    turbo._decoder.cache_clear()


@pytest.mark.parametrize("cut", range(2, 60, 7))
def test_a_header_that_stops_is_no_frame(cut):
    content = encoded(blob(50, 30), "JPEG")
    assert read_frame(content)
    assert read_frame(content[:cut]) is None
    assert read_frame(content[cut:]) is None

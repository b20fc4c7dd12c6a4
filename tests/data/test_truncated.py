"""One rule for files that were cut off: they are used if no pixel is missing, and noted."""

import struct
import threading
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageFile

import convscope
from convscope.data.decode import LACKS_END, UnreadableImage, decode, decode_image
from convscope.data.depth import note_of
from convscope.data.folder import read_folder
from convscope.data.jpeg_end import completions
from convscope.data.loading import load_images
from convscope.data.survey import describe_notes
from tests.data.test_loading import card

RNG = np.random.default_rng(0)
SMOOTH = np.add.outer(np.arange(37), np.arange(45))
PICTURES = {
    "smooth": Image.fromarray(np.stack([SMOOTH * 3, 255 - SMOOTH, SMOOTH], -1).astype(np.uint8)),
    "noise": Image.fromarray(RNG.integers(0, 256, (37, 45, 3), dtype=np.uint8)),
    "gray": Image.fromarray(SMOOTH.astype(np.uint8)),
    "flat": Image.new("RGB", (45, 37), (10, 200, 30)),
}
JPEGS = {
    "baseline": {},
    "fine": {"quality": 98, "subsampling": 0},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "progressive restarts": {"progressive": True, "restart_marker_blocks": 2},
}


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
@pytest.mark.parametrize("picture", PICTURES)
def test_a_jpeg_without_its_end_marker_is_used_and_noted(picture, options):
    whole = encoded(PICTURES[picture], "JPEG", **options)
    for cut in (1, 2):
        image = decode_image(whole[:-cut])
        assert note_of(image) == LACKS_END
        assert np.array_equal(image, decode(whole))
    assert note_of(decode_image(whole)) == ""


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
@pytest.mark.parametrize("picture", PICTURES)
def test_a_jpeg_that_lacks_more_is_refused_unless_its_pixels_are_those_of_the_whole(
    picture, options
):
    whole = encoded(PICTURES[picture], "JPEG", **options)
    pixels, step = np.asarray(decode(whole)), max(1, len(whole) // 100)
    refused = 0
    for cut in [*range(3, 60), *range(60, len(whole), step)]:
        try:
            image = decode(whole[:-cut])
        except UnreadableImage:
            refused += 1
        else:
            assert np.array_equal(image, pixels)
            assert image.info["note"] == LACKS_END
    assert refused > 20


def test_a_progressive_jpeg_that_ends_between_two_scans_is_refused():
    """It decodes without a complaint, but blurred."""
    whole = encoded(PICTURES["smooth"], "JPEG", progressive=True)
    scans = [place for place in range(len(whole)) if whole[place : place + 2] == b"\xff\xda"]
    assert len(scans) > 4
    for place in scans[1:]:
        cut = whole[:place]
        assert completions(cut) is None
        with pytest.raises(UnreadableImage, match="truncated"):
            decode(cut)


def test_a_jpeg_cut_between_two_restarts_is_refused():
    whole = encoded(PICTURES["flat"], "JPEG", restart_marker_blocks=1)
    places = [
        place
        for place in range(whole.rfind(b"\xff\xda"), len(whole) - 2)
        if whole[place] == 0xFF and 0xD0 <= whole[place + 1] <= 0xD7
    ]
    assert len(places) > 5
    for place in places:
        for end in (place, place + 2):
            with pytest.raises(UnreadableImage, match="truncated"):
                decode(whole[:end])


@pytest.mark.parametrize(
    ("kind", "end"), [("PNG", 12), ("GIF", 1), ("TGA", 26), ("QOI", 8), ("BMP", 0), ("SGI", 0)]
)
def test_other_formats_follow_the_same_rule(kind, end):
    whole = encoded(PICTURES["smooth"], kind)
    pixels = np.asarray(decode(whole))
    assert note_of(decode_image(whole)) == ""
    for cut in range(1, end + 1):
        image = decode_image(whole[:-cut])
        assert np.array_equal(image, pixels)
        assert (note_of(image) == LACKS_END) == (kind == "GIF" or (kind == "PNG" and cut > 4))
    with pytest.raises(UnreadableImage):
        decode(whole[: -end - 30])


def test_a_deep_png_is_noted_too():
    whole = encoded(Image.fromarray(SMOOTH.astype(np.uint16) * 300), "PNG")
    assert note_of(decode_image(whole[:-12])) == LACKS_END


def test_what_the_program_has_set_in_pillow_changes_nothing(monkeypatch):
    """Programs set LOAD_TRUNCATED_IMAGES, with which Pillow invents pixels."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    for kind in ("JPEG", "PNG", "GIF", "TGA"):
        whole = encoded(PICTURES["noise"], kind)
        for _ in range(2):
            with pytest.raises(UnreadableImage):
                decode(whole[: len(whole) // 2])
        decode(whole)
    assert ImageFile.LOAD_TRUNCATED_IMAGES


def test_the_setting_comes_back_also_when_threads_decode(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    half = encoded(PICTURES["noise"], "PNG")[:2000]
    reasons: list[str] = []

    def work() -> None:
        for _ in range(30):
            try:
                decode(half)
            except UnreadableImage as error:
                reasons.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reasons) == 120
    assert ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.fixture
def cut_folder(tmp_path):
    """Two whole images, two without their ends, one that lacks pixels."""
    (tmp_path / "a").mkdir()
    jpeg, png = (encoded(PICTURES["smooth"], kind) for kind in ("JPEG", "PNG"))
    for name, content in {
        "1.jpg": jpeg, "2.png": png, "3.jpg": jpeg[:-2], "4.png": png[:-12], "5.jpg": jpeg[:-200],
    }.items():  # fmt: skip
        (tmp_path / "a" / name).write_bytes(content)
    return tmp_path


def test_a_data_set_counts_them(cut_folder):
    loaded = load_images(read_folder(cut_folder, for_training=False), card())
    assert [key for key, _ in loaded.problems] == ["a/5.jpg"]
    assert f"2 images are like a/3.jpg, which {LACKS_END}." in loaded.dataset.warnings
    assert np.array_equal(loaded.pixel_digests[0], loaded.pixel_digests[2])


def test_predict_and_evaluate_follow_the_same_rule(cut_folder, digits_run):
    predictions = convscope.predict(digits_run, cut_folder)
    assert len(predictions) == 4
    assert [path.rpartition("/")[2] for path, _ in predictions.unreadable] == ["5.jpg"]
    assert any(LACKS_END in note for note in predictions.notes)
    (cut_folder / "a").rename(cut_folder / "3")
    found = convscope.evaluate(digits_run, cut_folder)
    assert found.metrics.num_images == 4
    assert any(LACKS_END in note for note in found.notes)


def test_notes_are_counted_by_kind():
    assert [*describe_notes({"x": "is odd", "y": "is odd", "z": "is even"})] == [
        "2 images are like x, which is odd.",
        "z is even.",
    ]


def test_a_scan_header_that_lies_is_refused():
    whole = encoded(PICTURES["smooth"], "JPEG")[:-2]
    place = whole.rfind(b"\xff\xda") + 2
    for length in (0, 2, 3, 7, 60_000):
        changed = whole[:place] + struct.pack(">H", length) + whole[place + 2 :]
        assert completions(changed) is None

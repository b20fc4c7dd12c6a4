"""DICOM: pydicom's own files and generated ones, against the standard's formulas in a slow loop."""

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from convscope.card import Card
from convscope.data import dicom as dicom_module
from convscope.data.decode import UnreadableImage, decode, decode_image
from convscope.data.depth import DeepImage
from convscope.data.file_properties import read_properties
from convscope.data.patients import Origin, group_by_patient, read_origin
from convscope.data.shortcuts import find_shortcuts
from convscope.data.source import open_source
from convscope.data.split import fill_splits
from convscope.data.walk import walk_images
from convscope.data.windows import Window, parse_window
from convscope.errors import RequestError
from tests.reference.dicom import each, looked_up, windowed

pydicom = pytest.importorskip("pydicom", reason="the extra `medical` is not installed")
pytest.importorskip("imagecodecs", reason="the extra `medical` is not installed")

from pydicom.dataset import Dataset  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402
from pydicom.pixels import apply_modality_lut  # noqa: E402
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless  # noqa: E402

from tests.data.dicom_files import dicom, lookup_table  # noqa: E402

FILES = Path(pydicom.__file__).parent / "data"

REFUSED = {
    "chrJapMulti.dcm": "has no pixels",
    "chrJapMultiExplicitIR6.dcm": "has no pixels",
    "chrKoreanMulti.dcm": "has no pixels",
    "JPEG2000-embedded-sequence-delimiter.dcm": "cannot be decompressed",
    "MR_truncated.dcm": "is truncated: pixels are missing at its end",
    "SC_rgb_rle_16bit_2frame.dcm": "has 2 frames",
    "SC_rgb_rle_2frame.dcm": "has 2 frames",
    "SC_rgb_rle_32bit_2frame.dcm": "has 2 frames",
    "badVR.dcm": "its number of frames is '1A'",
    "examples_ybr_color.dcm": "has 30 frames",
    "rtdose.dcm": "has 15 frames",
    "rtdose_expb.dcm": "has 15 frames",
    "rtdose_rle.dcm": "has 15 frames",
}
"""The test files of pydicom 3.0.2 that have an image, and of which none is read."""

# What pydicom 3.0.2 does not decode with Pillow alone, and one in which it finds too many bits.
OURS_ALONE = {
    "GDCMJ2K_TextGBR.dcm": (400, 400, 3), "JPEG-lossy.dcm": (1024, 256),
    "JPGExtended.dcm": (1024, 256), "JPEGLSNearLossless_08.dcm": (45, 10),
    "JPEGLSNearLossless_16.dcm": (50, 10), "MR_small_jpeg_ls_lossless.dcm": (64, 64),
    "SC_rgb_jls_lossy_line.dcm": (100, 100, 3), "SC_rgb_jls_lossy_sample.dcm": (100, 100, 3),
    "SC_rgb_jpeg_gdcm.dcm": (100, 100, 3),
}  # fmt: skip


def pixels_of(data: bytes | Path, card: Card | None = None) -> NDArray[Any]:
    """Bytes, or the integers of a deep image."""
    image = decode_image(data, card)
    return image.pixels if isinstance(image, DeepImage) else np.asarray(image)


def card(window: tuple[float, float] | None) -> Card:
    return Card(
        classes=("a", "b"), input_size=(8, 8), in_channels=1, resize_mode="pad", mean=(0.0,),
        std=(1.0,), window=window,
    )  # fmt: skip


def expected(header: Any) -> NDArray[Any]:
    """What a file of pydicom's should become, by pydicom's pixels and the slow loop."""
    stored = header.pixel_array
    if header.PhotometricInterpretation == "PALETTE COLOR":
        tables = [
            np.frombuffer(header[f"{color}PaletteColorLookupTableData"].value, "<u2") >> 8
            for color in ("Red", "Green", "Blue")
        ]
        return np.stack([table[stored] for table in tables], -1)
    if header.SamplesPerPixel > 1:
        return stored
    values = apply_modality_lut(stored, header)
    if "WindowWidth" not in header:
        return values * 255 if header.BitsStored == 1 else values
    center, width = header.WindowCenter, header.WindowWidth
    center, width = (x if isinstance(x, float) else x[0] for x in (center, width))
    gray = np.rint(each(values, lambda x: windowed(x, center, width)))
    gray = 255 - gray if header.PhotometricInterpretation == "MONOCHROME1" else gray
    return np.where(stored == header.get("PixelPaddingValue", -(2**40)), 0, gray)


def test_every_file_of_pydicom_is_read_as_the_standard_says_or_refused_with_a_reason():
    seen: set[str] = set()
    files = [p for p in sorted(FILES.rglob("*")) if p.is_file() and "TINY_ALPHA" not in p.parts]
    for path in files:
        data = path.read_bytes()
        if data[128:132] != b"DICM":
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path)
            if "Rows" not in header:
                with pytest.raises(UnreadableImage, match="without an image"):
                    decode(data)
            elif path.name in REFUSED:
                with pytest.raises(UnreadableImage, match=REFUSED[path.name]):
                    decode(data)
            elif path.name in OURS_ALONE:
                assert pixels_of(data).shape == OURS_ALONE[path.name]
            else:
                assert np.array_equal(pixels_of(data), expected(header)), path.name
        seen.add(path.name)
    assert len(seen) > 100
    assert set(REFUSED) <= seen
    assert set(OURS_ALONE) <= seen


def test_jpeg_ls_and_lossless_jpeg_give_the_pixels_of_the_same_image_uncompressed():
    folder = FILES / "test_files"
    plain = pixels_of(folder / "MR_small.dcm")
    assert np.array_equal(pixels_of(folder / "MR_small_jpeg_ls_lossless.dcm"), plain)
    colors = pixels_of(folder / "SC_rgb_rle.dcm")
    assert np.array_equal(pixels_of(folder / "SC_rgb_jpeg_gdcm.dcm"), colors)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("center", "width"), [(50, 100), (40, 400), (-600.5, 1500), (0, 1)])
def test_windows_are_those_of_the_standard(center: float, width: float, function: Any):
    values = np.arange(-1500, 1500)
    slow = each(values, lambda x: windowed(x, center, width, function))
    assert np.array_equal(Window(center, width, function).to_bytes(values), np.rint(slow))
    data = dicom(
        values.astype("i2")[None], WindowCenter=center, WindowWidth=width, VOILUTFunction=function
    )
    assert np.array_equal(pixels_of(data)[0], np.rint(slow))


def test_a_window_of_50_and_100_maps_50_to_128_79():
    assert windowed(50, 50, 100) == pytest.approx(128.79, abs=0.005)
    assert Window(50, 100).to_bytes(np.array([50])) == 129


@pytest.mark.parametrize("text", ["40", "40/0", "40/0.5", "a/b", "40/400/2", "1e3/5", "nan/2"])
def test_other_texts_are_no_windows(text: str):
    with pytest.raises(RequestError, match="is not a window"):
        parse_window(text)


@pytest.mark.parametrize("is_words", [True, False])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_lookup_tables_of_any_bits_and_length_are_followed(bits: int, *, is_words: bool):
    entries = [(i * 31) % (1 << bits) for i in range(600)]
    stored = np.arange(0, 800, dtype="u2")[None]
    table = lookup_table(100, entries, bits, is_words=is_words)
    slow = each(stored, lambda x: looked_up(x, 100, entries))
    modality = dicom(stored, ModalityLUTSequence=[table])
    assert np.array_equal(pixels_of(modality), slow)
    voi = pixels_of(dicom(stored, VOILUTSequence=[table], WindowCenter=5, WindowWidth=9))
    assert np.array_equal(voi, slow.astype(int) >> (bits - 8))


def test_a_palette_of_8_bits_may_have_more_than_256_entries():
    stored = np.arange(0, 1200, dtype="u2")[None]
    entries = [i >> 2 for i in range(1000)]
    palette = {
        f"{color}PaletteColorLookupTable{part}": value
        for color in ("Red", "Green", "Blue")
        for part, value in (("Descriptor", [1000, 100, 8]), ("Data", bytes(entries)))
    }
    data = dicom(stored, PhotometricInterpretation="PALETTE COLOR", **palette)
    slow = each(stored, lambda x: looked_up(x, 100, entries))
    assert np.array_equal(pixels_of(data), np.repeat(slow[..., None], 3, 2))


def test_values_are_rescaled_and_padding_does_not_widen_their_range():
    stored = np.array([[-2000, 0, 1024, 3000]], "i2")
    data = dicom(stored, RescaleSlope=1, RescaleIntercept=-1024, PixelPaddingValue=-2000)
    deep = decode_image(data)
    assert isinstance(deep, DeepImage)
    assert deep.pixels.tolist() == [[-1024, -1024, 0, 1976]]
    assert deep.value_range == (-1024, 2047)
    inverted = dicom(
        stored, RescaleSlope=1, RescaleIntercept=-1024, PixelPaddingValue=-2000,
        PhotometricInterpretation="MONOCHROME1",
    )  # fmt: skip
    assert np.asarray(decode(inverted)).tolist() == [[5, 255, 170, 5]]
    ranged = dicom(stored.clip(0), PixelPaddingValue=0, PixelPaddingRangeLimit=1024)
    assert pixels_of(ranged).tolist() == [[3000, 3000, 3000, 3000]]


def test_monochrome1_and_an_inverse_shape_are_inverted():
    stored = np.array([[0, 100, 255]], "u1")
    for more in ({"PhotometricInterpretation": "MONOCHROME1"}, {"PresentationLUTShape": "INVERSE"}):
        assert pixels_of(dicom(stored, **more)).tolist() == [[255, 155, 0]]
        narrow = dicom(stored, WindowCenter=100, WindowWidth=1, **more)
        assert pixels_of(narrow).tolist() == [[255, 0, 0]]


def test_bits_beyond_the_stored_ones_do_not_count_and_signs_do():
    stored = np.array([[0xF123, 0x0FFF]], "u2")
    assert pixels_of(dicom(stored, bits=12)).tolist() == [[0x123, 0xFFF]]
    signed = dicom(stored, bits=12, PixelRepresentation=1)
    assert pixels_of(signed).tolist() == [[0x123, -1]]


def test_planes_and_luma_become_rgb():
    colors = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    planes = np.ascontiguousarray(colors.transpose(2, 0, 1))
    planar = dicom(colors, PlanarConfiguration=1, PixelData=planes.tobytes())
    assert np.array_equal(pixels_of(planar), colors)
    luma = np.asarray(Image.fromarray(colors).convert("YCbCr"))
    converted = pixels_of(dicom(luma, PhotometricInterpretation="YBR_FULL"))
    assert np.abs(converted.astype(int) - colors).max() <= 2


def test_groups_of_a_frame_state_its_window_too():
    inner, rescale, group = Dataset(), Dataset(), Dataset()
    inner.WindowCenter, inner.WindowWidth = 40, 400
    rescale.RescaleSlope, rescale.RescaleIntercept = 2, -1000
    group.FrameVOILUTSequence, group.PixelValueTransformationSequence = [inner], [rescale]
    stored = np.arange(0, 1000, dtype="u2")[None]
    data = dicom(stored, SharedFunctionalGroupsSequence=[group], NumberOfFrames=1)
    slow = each(stored, lambda x: windowed(2 * x - 1000, 40, 400))
    assert np.array_equal(pixels_of(data), np.rint(slow))


def test_the_cards_window_takes_the_place_of_the_files():
    stored = np.arange(0, 2000, dtype="u2")[None]
    table = lookup_table(0, [9, 8, 7], 8, is_words=True)
    for own in ({}, {"WindowCenter": 900, "WindowWidth": 100}, {"VOILUTSequence": [table]}):
        data = dicom(stored, RescaleSlope=1, RescaleIntercept=-1024, **own)
        slow = each(stored, lambda x: windowed(x - 1024, 40, 400))
        assert np.array_equal(pixels_of(data, card((40, 400))), np.rint(slow))
    assert Card.from_json(card((40, 400)).to_json()) == card((40, 400))
    with pytest.raises(RequestError, match="impossible window"):
        card((40, 0.5))


def test_fractions_need_a_window_unless_rounding_costs_nothing():
    stored = np.arange(0, 5000, dtype="u2")[None]
    fine = dicom(stored, RescaleSlope=0.001, RescaleIntercept=0)
    with pytest.raises(UnreadableImage, match=r"fractions from 0 to 4\.999 and states no window"):
        decode(fine)
    slow = each(stored, lambda x: windowed(x * 0.001, 2, 4))
    assert np.abs(pixels_of(fine, card((2, 4))) - slow).max() < 0.5 + 1e-6
    coarse = dicom(stored, RescaleSlope=1.5, RescaleIntercept=0)
    assert np.abs(pixels_of(coarse) - stored * 1.5).max() <= 0.5


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
def test_compressed_frames_that_are_cut_off_or_larger_than_stated_are_refused(syntax: str):
    imagecodecs = pytest.importorskip("imagecodecs")
    pixels = np.random.default_rng(0).integers(0, 4096, (40, 30), dtype=np.uint16)
    if syntax == JPEGLSLossless:
        code = imagecodecs.jpegls_encode(pixels)
    else:
        code = imagecodecs.jpeg2k_encode(pixels, reversible=True, codecformat="J2K", level=0)
    whole = dicom(pixels, bits=16, syntax=syntax, PixelData=encapsulate([code]))
    assert np.array_equal(pixels_of(whole), pixels)
    for share in (0.5, 0.9, 0.99):
        cut = encapsulate([code[: int(len(code) * share)]])
        with pytest.raises(UnreadableImage, match="cannot be decompressed"):
            decode(dicom(pixels, bits=16, syntax=syntax, PixelData=cut))
    with pytest.raises(UnreadableImage):
        decode(dicom(pixels[:20], bits=16, syntax=syntax, PixelData=encapsulate([code])))


def test_what_is_too_large_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch):
    huge = dicom(np.zeros((2, 2), "u1"), Rows=50_000, Columns=50_000)
    with pytest.raises(UnreadableImage, match="2,500,000,000 pixels; more than 100,000,000"):
        decode(huge)
    deflated = (FILES / "test_files" / "image_dfl.dcm").read_bytes()
    assert pixels_of(deflated).shape == (512, 512)
    monkeypatch.setattr(dicom_module, "_MAX_INFLATED", 200_000)
    with pytest.raises(UnreadableImage, match="inflates to more than 200,000 bytes"):
        decode(deflated)


def test_other_syntaxes_and_colors_are_refused_by_name():
    pixels = np.zeros((4, 4, 3), "u1")
    with pytest.raises(UnreadableImage, match="whose colors are HSV"):
        decode(dicom(pixels, PhotometricInterpretation="HSV"))
    movie = dicom(pixels, syntax="1.2.840.10008.1.2.4.102", PixelData=encapsulate([b"1234"]))
    with pytest.raises(UnreadableImage, match="compressed as MPEG-4"):
        decode(movie)


def test_a_damaged_byte_never_crashes_and_no_reason_tells_a_name():
    whole = dicom(np.full((4, 4), 7, "u2"), WindowCenter=5, WindowWidth=9)
    reasons: set[str] = set()
    for place in range(132, len(whole), 3):
        data = bytearray(whole)
        data[place] ^= 0x5A
        try:
            decode(bytes(data))
        except UnreadableImage as error:
            reasons.add(str(error))
    assert len(reasons) > 3
    assert "Doe" not in " ".join(reasons)


def test_without_the_extra_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> Any:
        raise ImportError(name)

    data = dicom(np.zeros((4, 4), "u1"))
    monkeypatch.setattr(dicom_module, "library", missing)
    with pytest.raises(UnreadableImage, match=r'DICOM file; .*pip install "convscope\[medical\]"'):
        decode(data)


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    """Two classes of 8 patients with 3 images each, named as on a disc from a hospital."""
    random, number = np.random.default_rng(0), 0
    for label in ("healthy", "ill"):
        (tmp_path / label).mkdir()
        for patient in range(8):
            for _ in range(3):
                pixels = random.integers(0, 4096, (8, 8), dtype=np.uint16)
                data = dicom(
                    pixels, PatientID=f"{label}-{patient}", StudyInstanceUID=f"1.2.{number % 3}",
                    Manufacturer="ACME", ManufacturerModelName="Scan 9",
                )  # fmt: skip
                name = f"IM{number:06d}" if number % 2 else f"1.2.840.{number}"
                (tmp_path / label / name).write_bytes(data)
                number += 1
    (tmp_path / "healthy" / "DICOMDIR").write_bytes(data)
    return tmp_path


def test_files_without_an_ending_and_unique_identifiers_are_found(clinic: Path):
    found = walk_images(clinic)
    assert len(found.keys) == 48
    assert not found.left_out


def test_the_images_of_a_patient_stay_in_one_split(clinic: Path):
    dataset = open_source(clinic)
    said = " ".join(dataset.warnings)
    assert "48 DICOM images are of 16 patients by their PatientID" in said
    filled = fill_splits(dataset, val=0.25, test=0.25)
    split_of: dict[str, set[str]] = {}
    for index in range(48):
        header = pydicom.dcmread(clinic / filled.images.key(index))
        split_of.setdefault(header.PatientID, set()).add(str(filled.split[index]))
    assert len(split_of) == 16
    assert all(len(splits) == 1 for splits in split_of.values())
    assert not any("healthy-0" in str(group) for group in filled.groups or ())
    assert open_source(clinic, group_column="none").groups is None
    assert open_source(clinic, for_training=False).groups is None


def test_files_of_one_anonymous_patient_are_grouped_by_examination(clinic: Path):
    for path in clinic.rglob("*"):
        if path.is_file():
            header = pydicom.dcmread(path)
            header.PatientID = "ANONYMOUS"
            header.save_as(path)
    dataset = open_source(clinic)
    assert any("3 examinations by their StudyInstanceUID" in text for text in dataset.warnings)


def test_headers_say_where_an_image_comes_from(clinic: Path):
    path = clinic / "healthy" / "IM000001"
    assert read_origin(path) == Origin("healthy-0", "1.2.1", "ACME", "Scan 9")
    assert read_origin(path.read_bytes()) == read_origin(path)
    assert read_origin(b"no") is None
    assert read_origin(clinic / "missing") is None


def test_the_properties_of_a_file_are_those_of_its_header(clinic: Path):
    dataset = open_source(clinic, for_training=False)
    (properties,) = read_properties(dataset.images, [0]).values()
    assert properties == {
        "size": "8x8",
        "resolution": "a shorter side of about 8",
        "aspect ratio": "about 1.00:1",
        "camera": "ACME Scan 9",
        "software": "none stated",
        "format": "DICOM",
        "channels": "MONOCHROME2 of 16 bits",
        "compression": "Explicit VR Little Endian",
        "metadata": "none",
    }


def test_a_device_that_tells_the_class_is_a_shortcut(clinic: Path):
    assert find_shortcuts(open_source(clinic)) == []
    for path in (clinic / "ill").iterdir():
        header = pydicom.dcmread(path)
        header.ManufacturerModelName = "Scan 10"
        header.save_as(path)
    (shortcut,) = find_shortcuts(open_source(clinic, group_column="none"))
    assert shortcut.name == "camera"
    assert shortcut.accuracy == 1
    assert "have ACME Scan" in shortcut.describe()


def test_photographs_have_no_patients(image_folder: Path):
    dataset = open_source(image_folder)
    assert group_by_patient(dataset) is dataset


def test_many_threads_may_be_the_first_to_read(clinic: Path):
    program = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from convscope.data.decode import decode
from convscope.data.patients import read_origin

barrier, path = Barrier(8), Path(sys.argv[1])


def read(number):
    barrier.wait()
    return read_origin(path) if number % 2 else decode(path)


with ThreadPoolExecutor(8) as pool:
    assert None not in list(pool.map(read, range(8)))
"""
    path = clinic / "healthy" / "IM000001"
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)

"""Planted duplicates are found by their pixels, and named with both keys."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convscope.data.dataset import ArrayImages, ConcatImages, Dataset, SubsetImages
from convscope.data.decode import decode_image
from convscope.data.duplicates import Duplicates, copies_by_digest, find_duplicates
from convscope.data.pixel_digests import SIZE, digest_image, digests_in_memory

COLOR = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
GRAY = COLOR[..., 0]


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def digest(content: bytes) -> bytes:
    return digest_image(decode_image(content)).tobytes()


def turned(image: Image.Image, orientation: int) -> bytes:
    """The image stored on its side, and upright by its EXIF."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)


def remuxed(jpeg: bytes) -> bytes:
    """A JPEG with a comment put in behind its start, and its pixels untouched."""
    return jpeg[:2] + b"\xff\xfe\x00\x07hello" + jpeg[2:]


def with_alpha(image: Image.Image, alpha: int) -> Image.Image:
    copy = image.convert("RGBA")
    copy.putalpha(alpha)
    return copy


PICTURE = Image.fromarray(COLOR)
PLAIN = Image.fromarray(GRAY)
JPEG = encoded(PICTURE, "JPEG")
DEEP = Image.fromarray(GRAY.astype(np.uint16) * 200)
COPIES = {
    "color": [
        encoded(PICTURE, "PNG"),
        encoded(PICTURE, "PNG", compress_level=0, dpi=(72, 72)),
        encoded(PICTURE, "BMP"),
        encoded(PICTURE, "TIFF", compression="tiff_lzw"),
        encoded(PICTURE, "WEBP", lossless=True),
        encoded(PICTURE, "TGA"),
        encoded(with_alpha(PICTURE, 255), "PNG"),
        turned(PICTURE, 6),
    ],
    "gray": [
        encoded(PLAIN, "PNG"),
        encoded(PLAIN.convert("RGB"), "PNG"),
        encoded(PLAIN.convert("P"), "GIF"),
        encoded(PLAIN.convert("LA"), "PNG"),
        turned(PLAIN, 6),
    ],
    "jpeg": [JPEG, remuxed(JPEG), encoded(Image.open(BytesIO(JPEG)), "PNG")],
    "16 bits": [encoded(DEEP, "PNG"), encoded(DEEP, "TIFF")],
    "other": [
        encoded(PICTURE.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG"),
    ],
    "another size": [encoded(Image.fromarray(COLOR.reshape(9, 6, 3)), "PNG")],
    "half transparent": [encoded(with_alpha(PICTURE, 128), "PNG")],
}


def test_copies_have_one_digest_whatever_they_were_saved_as():
    digests = {kind: {digest(content) for content in files} for kind, files in COPIES.items()}
    assert {kind: len(each) for kind, each in digests.items()} == dict.fromkeys(COPIES, 1)
    assert len(set.union(*digests.values())) == len(COPIES)


def test_arrays_in_memory_have_the_digests_of_their_images():
    images = ConcatImages(
        (
            ArrayImages(np.stack([COLOR, np.stack([GRAY] * 3, axis=-1)])),
            SubsetImages(ArrayImages(np.stack([GRAY, GRAY + 1])), np.array([1, 0])),
        )
    )
    digests = digests_in_memory(images)
    assert digests.shape == (4, SIZE)
    for index, row in enumerate(digests):
        assert np.array_equal(row, digest_image(images.image(index)))
    assert np.array_equal(digests[1], digests[3])
    assert digests[0].tobytes() == digest(COPIES["color"][0])


def test_a_single_pixel_makes_another_image():
    for place in np.ndindex(COLOR.shape):
        changed = COLOR.copy()
        changed[place] ^= 1
        assert digest(encoded(Image.fromarray(changed), "PNG")) != digest(COPIES["color"][0])


@given(st.lists(st.integers(0, 6), max_size=40))
def test_copies_are_what_a_slow_loop_finds(values):
    digests = np.repeat(np.array(values, np.uint8)[:, None], SIZE, axis=1)
    expected = [
        [i for i, other in enumerate(values) if other == value] for value in range(1, 7)
    ]  # zeros are images that cannot be read
    found = copies_by_digest(digests)
    assert sorted(found) == sorted(each for each in expected if len(each) > 1)


def planted(values: list[int], labels: list[int], split: list[str]) -> Dataset:
    pixels = np.array(values, dtype=np.uint8).reshape(-1, 1, 1)
    return Dataset(
        name="planted",
        classes=("a", "b"),
        images=ArrayImages(pixels),
        labels=np.array(labels),
        split=np.array(split, dtype="<U5"),
    )


def found(data: Dataset):
    return find_duplicates(data, digests_in_memory(data.images))


def test_images_in_two_splits_are_named_with_both_keys():
    data = planted([1, 2, 3, 1, 2, 9], [0] * 6, ["train", "train", "val", "test", "val", "test"])
    assert found(data).describe_across() == (
        "1 image of val also in train: '00001' = '00004'; "
        "1 image of test also in train: '00000' = '00003'"
    )
    assert (found(data).relabeled, found(data).repeated) == ([], [])


@pytest.mark.parametrize("split", ["train", "test"])
def test_two_labels_and_repeats_are_told_apart(split):
    data = planted([1, 1, 1, 1, 2], [0, 1, 0, 1, 0], ["train", split, "train", split, "train"])
    [relabeled], [repeated] = found(data).describe_relabeled(), found(data).describe_repeated()
    pairs = "'00000' (a) = '00001' (b), '00000' (a) = '00003' (b)."
    assert relabeled == f"planted: 2 images also under another label: {pairs}"
    pairs = "'00000' = '00002', '00001' = '00003'."
    assert repeated == f"planted: 2 images repeated within a class and split: {pairs}"
    across = found(data).describe_across()
    assert ("'00000' (a) = '00001' (b)" in across) == (split == "test")


def test_many_are_counted_and_the_first_shown():
    data = planted(list(range(20)) * 2, [0] * 40, ["train"] * 20 + ["test"] * 20)
    message = found(data).describe_across()
    assert "20 images of test also in train" in message
    assert message.endswith("and 17 more")


def test_what_is_in_no_split_is_no_duplicate():
    data = planted([1, 1, 1], [0, 1, 0], ["train", "", ""])
    assert find_duplicates(data, digests_in_memory(data.images)) == Duplicates(data)


@pytest.mark.parametrize("value", ["uint8", "uint16"])
def test_images_of_more_than_8_bits_equal_only_each_other(value):
    image = Image.fromarray(GRAY.astype(value))
    assert (digest(encoded(image, "PNG")) == digest(encoded(PLAIN, "PNG"))) == (value == "uint8")

"""Before a training reads its images, it says what their headers show."""

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.card import Card
from convscope.data.fit_losses import FitLoss, describe_losses
from convscope.data.folder import read_folder
from convscope.errors import WorkError
from convscope.training.callbacks.base import Callback, CallbackList
from convscope.training.source_warnings import warn_of_files
from tests.conftest import make_image_folder


def card(mode="crop", size=(32, 32), **more):
    return Card(
        classes=("wide", "high"), input_size=size, in_channels=3, resize_mode=mode,
        mean=(0.0,) * 3, std=(1.0,) * 3, **more,
    )  # fmt: skip


class Messages(Callback):
    def __init__(self):
        self.texts = []

    def on_message(self, event):
        self.texts.append(event.text)


def messages_for(root, sizes, card, *, each=20):
    """What is said of a folder with images of one (width, height) for each class."""
    for name, size in sizes.items():
        (root / name).mkdir(parents=True)
        for number in range(each):
            Image.new("RGB", size, (number, 0, 0)).save(root / name / f"{number}.png")
    messages = Messages()
    warn_of_files(read_folder(root), card, CallbackList([messages]))
    return messages.texts


def shown(size, card):
    """The area of the largest window of the card's shape in an image, as a fraction of it."""
    height, width = size
    rows, columns = card.input_size
    scale = min(height / rows, width / columns)
    return rows * scale * columns * scale / (height * width)


@pytest.mark.parametrize("size", [(100, 100), (100, 133), (300, 200), (100, 400), (123, 457)])
@pytest.mark.parametrize("to", [(32, 32), (64, 32), (224, 160)])
def test_what_crop_cuts_off_is_what_does_not_fit_the_shape(size, to):
    assert FitLoss.of(size, card(size=to)).cut == pytest.approx(1 - shown(size, card(size=to)))
    assert FitLoss.of(size, card("letterbox", to)).cut == 0


def test_a_larger_resize_size_is_no_loss_of_the_shape():
    assert FitLoss.of((300, 400), card(resize_size=40)).cut == pytest.approx(1 / 4)


CUT = (
    "`resize_mode='crop'` cuts 50% off a typical image (200x100) to fit 32x32. "
    "`resize_mode='letterbox'` shows all of it, between black bars; an `input_size` of its shape, "
    "HEIGHTxWIDTH, needs no bars."
)
STRETCHED = (
    "`resize_mode='stretch'` makes one side of a typical image 1.6 times as long as the other: "
    "round things become oblong. `resize_mode='letterbox'` keeps the shape."
)
ENLARGED = (
    "A typical image is enlarged 3.2 times to 32x32, which adds work and no detail. A smaller "
    "`input_size` takes less time."
)


@pytest.mark.parametrize(
    ("size", "mode", "said"),
    [
        ((100, 140), "crop", None),
        ((100, 200), "crop", CUT),
        ((100, 300), "letterbox", None),
        ((100, 140), "stretch", None),
        ((100, 160), "stretch", STRETCHED),
        ((17, 17), "crop", None),
        ((10, 10), "crop", ENLARGED),
    ],
)
def test_a_loss_is_told_with_its_remedy(size, mode, said):
    told = [*describe_losses([size] * 9, [0] * 9, ("wide", "high"), card(mode))]
    assert told == ([said] if said else [])


def test_an_enlargement_that_the_network_needs_is_not_told():
    small = [(10, 10)] * 9, [0] * 9, ("wide", "high")
    assert [*describe_losses(*small, card(), min_size=32)] == []


def test_a_class_that_loses_much_more_than_another_is_named():
    sizes, labels = [(100, 110)] * 6 + [(100, 200)] * 6, [1] * 6 + [0] * 6
    [told] = describe_losses(sizes, labels, ("wide", "high"), card())
    assert "cuts 50% off images of 'wide' and 9% off those of 'high'" in told


def test_sizes_that_tell_the_class_are_told_in_three_sentences(tmp_path):
    [told] = messages_for(tmp_path / "fruit", {"apple": (40, 40), "leaf": (48, 48)}, card())
    assert told == (
        "fruit: The size of an image alone tells its class for 100% (the largest class: 50%): "
        "100% of 'apple' and 0% of all others have 40x40. A network can learn that instead of what "
        "the images show: take images of every class from every source, or crop and resize all to "
        "one framing."
    )


def test_equal_files_raise_nothing(tmp_path):
    assert messages_for(tmp_path / "fruit", {"apple": (40, 40), "leaf": (40, 40)}, card()) == []


def test_splits_from_other_sources_are_told(tmp_path):
    for split, size in (("train", (40, 40)), ("test", (48, 40))):
        for name in ("apple", "leaf"):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for number in range(20):
                pixels = np.full((size[1], size[0], 3), number, np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    messages = Messages()
    warn_of_files(read_folder(tmp_path), card(), CallbackList([messages]))
    [told] = messages.texts
    assert "alone tells its split for 100%" in told
    assert "the splits come from different sources" in told


class Told(Messages):
    """Ends the training before its first step."""

    def on_fit_start(self, state, event):
        raise ValueError("seen")


def told_of(folder, out, **settings):
    told = Told()
    with pytest.raises(WorkError, match="seen"):
        convscope.train(
            str(folder), out=out, model="tinyvgg", input_size=16, callbacks=[told],
            progress=False, **settings,
        )  # fmt: skip
    return [text for text in told.texts if " blank, " in text or " tiny, " in text]


@pytest.mark.parametrize("cache", ["ram", "none"])
def test_blank_and_tiny_images_are_told_with_a_number_an_example_and_a_remedy(tmp_path, cache):
    folder = make_image_folder(tmp_path / "fruit", ("apple", "plum"), each=20)
    assert told_of(folder, tmp_path / "good", cache=cache) == []
    Image.new("RGB", (10, 12), (90, 90, 90)).save(folder / "apple" / "03.png")
    noisy = 250 + np.random.default_rng(0).integers(0, 5, (12, 10, 3))
    Image.fromarray(noisy.astype(np.uint8)).save(folder / "plum" / "04.png")
    Image.new("RGB", (1, 2), (9, 9, 9)).save(folder / "plum" / "05.png")
    tiny, blank = told_of(folder, tmp_path / "bad", cache=cache, resize_mode="stretch")
    assert tiny.startswith(
        "fruit: 1 of 40 images is tiny, less than a quarter of the usual 10 pixels, such as "
    )
    assert "05.png (1x2). Remove them" in tiny
    assert blank.startswith("fruit: 3 of 40 images are blank, of one shade, such as ")
    assert "03.png. Remove them, or say why they are there; `convscope check` shows all." in blank

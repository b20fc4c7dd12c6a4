"""Training says so when it shrinks images to a fraction of their pixels."""

import numpy as np
import pytest
from PIL import Image

from convscope.data.dataset import Dataset
from convscope.training.callbacks.base import Callback, CallbackList
from convscope.training.config import TrainConfig
from convscope.training.image_sample import sample_images
from convscope.training.prepare import infer_preprocessing


class BlankImages:
    """Gray images of given sizes (width, height)."""

    def __init__(self, sizes):
        self.sizes = sizes

    def image(self, index, card):
        del card
        return Image.new("L", self.sizes[index])


class Messages(Callback):
    def __init__(self):
        self.texts = []

    def on_message(self, event):
        self.texts.append(event.text)


def messages_for(sizes, **settings):
    """What is said when these images are prepared for an input of 16x16."""
    dataset = Dataset(
        name="fruit",
        classes=("apple", "leaf"),
        images=BlankImages(sizes),
        labels=np.arange(len(sizes)) % 2,
        split=np.full(len(sizes), ""),
    )
    messages = Messages()
    infer_preprocessing(
        dataset,
        sample_images(dataset),
        TrainConfig(model="tinyvgg", input_size=16, **settings),
        CallbackList([messages]),
    )
    return messages.texts


@pytest.mark.parametrize(
    ("sizes", "described"),
    [
        ([(32, 32)] * 12, "32x32"),  # exactly four times the pixels
        ([(40, 26)] * 12, "40x26"),  # width first
        ([(40, 30)] * 7 + [(16, 16)] * 5, "40x30"),  # the median counts
    ],
)
def test_images_of_four_times_the_pixels_get_a_hint(sizes, described):
    (hint,) = messages_for(sizes)
    assert f"about {described} are scaled to 16x16" in hint
    assert "larger `input_size`" in hint


@pytest.mark.parametrize(
    "sizes", [[(32, 31)] * 12, [(400, 400)] * 5 + [(16, 16)] * 7, [(8, 8)] * 12]
)
def test_images_of_fewer_pixels_get_no_hint(sizes):
    assert messages_for(sizes) == []

"""An image of any size becomes in the exported graph what it becomes in training."""

from importlib.resources import files
from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image

from convscope import inference
from convscope.card import Card
from convscope.conversion.image_graph import image_graph
from convscope.data.resize import resize_image
from convscope.exported import probabilities as exported

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SIZES = [
    (40, 56), (56, 40), (39, 57), (41, 56), (80, 112), (20, 31), (1, 1), (123, 77), (200, 333),
    (97, 301), (400, 410), (3, 200), (300, 45), (563, 777),
]  # fmt: skip
"""(height, width) around an input of 40 by 56: equal, turned, of one pixel, shrunk by up to 14."""

FLOWER = Image.open(str(files("convscope.data") / "bundled" / "flower.jpg")).convert("RGB")


def card_of(**changes):
    """Mean 0 and std 1/255, so that the network's input are the bytes themselves."""
    channels = changes.get("in_channels", 3)
    settings = {
        "classes": ("a", "b"),
        "input_size": (40, 56),
        "in_channels": 3,
        "resize_mode": "crop",
        "mean": (0.0,) * channels,
        "std": (1 / 255,) * channels,
    }
    return Card(**(settings | changes))


def identity(card):
    """A network that returns the first values of its input, as ONNX."""
    channels, (height, width) = card.in_channels, card.input_size
    count = len(card.classes)
    return onnx.parser.parse_model(f"""
        <ir_version: 10, opset_import: ["" : 20]>
        net (float[n, {channels}, {height}, {width}] input) => (float[n, {count}] logits) {{
            start = Constant <value = int64[1] {{0}}> ()
            end = Constant <value = int64[1] {{{count}}}> ()
            axis = Constant <value = int64[1] {{1}}> ()
            flat = Flatten (input)
            logits = Slice (flat, start, end, axis)
        }}""")


def everything(**changes):
    """A card whose network returns its whole input as probabilities."""
    card = card_of(**changes)
    count = card.in_channels * card.input_size[0] * card.input_size[1]
    return card_of(**changes, classes=tuple(map(str, range(count))), output="probabilities")


def bytes_of(session, image, card):
    (values,) = session.run(["probabilities"], {"images": np.asarray(image)[None]})
    return values.reshape(card.in_channels, *card.input_size).transpose(1, 2, 0)


def images():
    rng = np.random.default_rng(0)
    for height, width in SIZES:
        yield FLOWER.resize((width, height), Image.Resampling.BICUBIC)
        yield Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("mode", "resize_size"),
    [("crop", None), ("crop", 71), ("pad", None), ("letterbox", None), ("stretch", None)],
)
def test_bytes_are_those_of_training_to_two_of_255(mode, resize_size, channels):
    for interpolation, reading in product(("bilinear", "bicubic"), ("whole", "fast")):
        card = everything(
            resize_mode=mode,
            resize_size=resize_size,
            interpolation=interpolation,
            reading=reading,
            in_channels=channels,
        )
        model = image_graph(identity(card), card)
        session = onnxruntime.InferenceSession(model.SerializeToString())
        for image in images():
            found = bytes_of(session, image, card)
            expected = resize_image(image, card).astype(float)
            assert np.abs(found - expected).max() <= 2, (image.size, interpolation, reading)


def test_an_image_of_the_inputs_size_is_unchanged_to_the_bit():
    card = everything()
    session = onnxruntime.InferenceSession(image_graph(identity(card), card).SerializeToString())
    image = FLOWER.crop((10, 20, 10 + 56, 20 + 40))
    assert (bytes_of(session, image, card) == np.asarray(image)).all()


def test_gray_is_pillows_luma_to_the_bit():
    card = everything(in_channels=1)
    session = onnxruntime.InferenceSession(image_graph(identity(card), card).SerializeToString())
    colors = np.random.default_rng(1).integers(0, 256, (40, 56, 3), np.uint8)
    image = Image.fromarray(colors)
    assert (bytes_of(session, image, card)[..., 0] == np.asarray(image.convert("L"))).all()


def test_several_images_at_once_are_as_each_alone():
    card = everything()
    session = onnxruntime.InferenceSession(image_graph(identity(card), card).SerializeToString())
    pair = np.random.default_rng(2).integers(0, 256, (2, 77, 91, 3), np.uint8)
    (both,) = session.run(["probabilities"], {"images": pair})
    for one, image in zip(both, pair, strict=True):
        assert (one == session.run(["probabilities"], {"images": image[None]})[0][0]).all()


@pytest.mark.parametrize(
    ("task", "expected"),
    [("single-label", {"probabilities", "label"}), ("multi-label", {"probabilities", "labels"}),
     ("ordinal", {"probabilities", "label", "expected_grade"})],
)  # fmt: skip
def test_outputs_follow_from_the_task(task, expected):
    card = card_of(task=task, classes=("a", "b", "c"), input_size=(2, 2), in_channels=1)
    model = image_graph(identity(card), card)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    assert set(names) == expected
    pixels = np.array([[[1], [2]], [[0], [9]]], np.uint8).repeat(3, 2)
    found = dict(zip(names, session.run(None, {"images": pixels[None]}), strict=True))
    logits = np.array([1.0, 2.0, 0.0])
    softmax = np.exp(logits) / np.exp(logits).sum()
    if task == "multi-label":
        assert found["probabilities"][0] == pytest.approx(1 / (1 + np.exp(-logits)))
        assert found["labels"][0].tolist() == [True, True, True]
        return
    assert found["probabilities"][0] == pytest.approx(softmax)
    assert found["label"].tolist() == [1]
    if task == "ordinal":
        assert found["expected_grade"][0] == pytest.approx((softmax * [0, 1, 2]).sum())


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_temperature_and_thresholds_are_those_of_the_card(temperature):
    card = card_of(
        task="multi-label",
        classes=("a", "b", "c"),
        input_size=(2, 2),
        in_channels=1,
        temperature=temperature,
        thresholds=(0.99, 0.3, 0.5),
    )
    session = onnxruntime.InferenceSession(image_graph(identity(card), card).SerializeToString())
    pixels = np.array([[[1], [2]], [[0], [9]]], np.uint8).repeat(3, 2)
    shares, labels = session.run(["probabilities", "labels"], {"images": pixels[None]})
    logits = torch.tensor([[1.0, 2.0, 0.0]])
    assert shares == pytest.approx(inference.probabilities(logits, card).numpy())
    assert shares == pytest.approx(exported.probabilities(logits.numpy(), card))
    assert shares[0, 0] == pytest.approx(1 / (1 + np.exp(-1 / temperature)))
    assert labels[0].tolist() == [False, True, True]


def test_a_network_may_use_any_name_for_its_values():
    card = card_of(input_size=(2, 2), in_channels=1)
    model = identity(card)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["images" if name == "flat" else name for name in names]
            names[:] = ["pixels" if name == "start" else name for name in names]
    session = onnxruntime.InferenceSession(image_graph(model, card).SerializeToString())
    (shares,) = session.run(["probabilities"], {"images": np.ones((1, 2, 2, 3), np.uint8)})
    assert shares.tolist() == [[0.5, 0.5]]

"""What is read of ConvNetJS computes as slow loops do, on files written by hand.

ConvNetJS 0.3.0 itself answers as they do.
"""

import json

import numpy as np
import pytest
import torch

from convscope.errors import RequestError
from convscope.foreign import read_network
from tests.foreign import loops

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 6, 3))


def volume(values):
    """(height, width, maps) as JSON writes it: a typed array is an object."""
    height, width, maps = values.shape
    numbers = {str(place): float(value) for place, value in enumerate(values.ravel())}
    return {"sx": width, "sy": height, "depth": maps, "w": numbers}


def made(kind, shape, **settings):
    height, width, maps = shape
    return {"layer_type": kind, "out_sy": height, "out_sx": width, "out_depth": maps, **settings}


def fully(units, inputs):
    weights, bias = RNG.normal(size=(units, inputs)) / 5, RNG.normal(size=units)
    filters = [volume(row[None, None]) for row in weights]
    one = made("fc", (1, 1, units), num_inputs=inputs, filters=filters)
    return {**one, "biases": volume(bias[None, None])}, weights, bias


def ended(tmp_path, *layers, shape=X.shape):
    """The answer of layers, before and after a fully connected layer and its softmax."""
    last, weights, bias = fully(3, int(np.prod(layers_shape(layers) or shape)))
    listed = [made("input", shape), *layers, last, made("softmax", (1, 1, 3))]
    path = tmp_path / "net.json"
    path.write_text(json.dumps({"layers": listed}))
    read = read_network(path)
    with torch.no_grad():
        image = torch.tensor(X, dtype=torch.float32).permute(2, 0, 1)[None]
        return read, read.net(image)[0].numpy(), weights, bias


def layers_shape(layers):
    return [layers[-1][key] for key in ("out_sy", "out_sx", "out_depth")] if layers else None


def assert_gives(tmp_path, values, *layers):
    _, found, weights, bias = ended(tmp_path, *layers)
    powers = np.exp(weights @ values.ravel() + bias)
    np.testing.assert_allclose(found, powers / powers.sum(), rtol=1e-4, atol=1e-6)


def test_units_are_listed_by_row_column_and_map(tmp_path):
    assert_gives(tmp_path, X)


def test_convolutions_pad_with_zeros_and_drop_what_a_window_does_not_fill(tmp_path):
    kernel, bias = RNG.normal(size=(3, 3, 3, 4)), RNG.normal(size=4)
    padded = np.pad(X, ((1, 1), (1, 1), (0, 0)))
    expected = loops.conv(padded, kernel, bias, 2)
    filters = [volume(kernel[..., number]) for number in range(4)]
    settings = {"sx": 3, "sy": 3, "stride": 2, "pad": 1, "in_depth": 3, "filters": filters}
    one = made("conv", expected.shape, **settings, biases=volume(bias[None, None]))
    assert_gives(tmp_path, expected, one)


@pytest.mark.parametrize(("pad", "lowest"), [(1, -np.inf), (2, -99999.0)])
def test_padding_is_never_the_largest(tmp_path, pad, lowest):
    padded = np.pad(X, ((pad, pad), (pad, pad), (0, 0)), constant_values=lowest)
    expected = loops.pool(padded, 3, 2, np.max)
    one = made("pool", expected.shape, sx=3, sy=3, stride=2, pad=pad, in_depth=3)
    assert_gives(tmp_path, expected, one)


def test_maxout_takes_consecutive_maps_and_dropout_multiplies_by_its_probability(tmp_path):
    one = made("maxout", (5, 6, 1), group_size=3)
    two = made("dropout", (5, 6, 1), drop_prob=0.3)
    assert_gives(tmp_path, X.max(2, keepdims=True) * 0.3, one, two)


def test_local_response_normalization_divides_alpha_by_n(tmp_path):
    one = made("lrn", X.shape, k=2.0, n=3, alpha=0.6, beta=0.75)
    around = [slice(0, 2), slice(0, 3), slice(1, 3)]
    total = np.stack([(X[..., maps] ** 2).sum(2) for maps in around], axis=2)
    assert_gives(tmp_path, X / (2.0 + 0.6 / 3 * total) ** 0.75, one)


def test_the_card(tmp_path):
    read, *_ = ended(tmp_path)
    card = read.card
    assert (card.input_size, card.output, card.mean, card.std) == (
        (5, 6), "probabilities", (0.5,) * 3, (1.0,) * 3,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layer_type": "quadtransform"}, "quadtransform"),
        ({"out_depth": 7}, "7 filters"),
        ({"filters": [{"sx": 9}] * 3}, "another shape"),
        ({"biases": {"sx": 1, "sy": 1, "depth": 3, "w": [0, None, 1]}}, "no number"),
        ({"out_sx": 2}, "the file says"),
    ],
)
def test_a_layer_that_does_not_fit_is_named(tmp_path, change, words):
    last, _, _ = fully(3, 27)
    listed = [made("input", (3, 3, 3)), {**last, **change}, made("softmax", (1, 1, 3))]
    path = tmp_path / "net.json"
    path.write_text(json.dumps({"layers": listed}))
    with pytest.raises(RequestError, match=words):
        read_network(path)

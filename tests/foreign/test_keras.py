"""What is read of Keras computes as slow loops do, on files written by hand."""

import zipfile

import numpy as np
import pytest
import torch

from convscope.errors import RequestError
from convscope.foreign import read_network
from convscope.models import open_model
from tests.foreign import loops
from tests.foreign.keras_files import functional, layer, sequential, write_h5, write_keras

h5py = pytest.importorskip("h5py", reason="needs the extra keras")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 7, 3))


def random(*shape):
    return RNG.normal(size=shape)


def answer(net, x=X):
    images = torch.tensor(x, dtype=torch.float32).permute(2, 0, 1)[None]
    with torch.no_grad():
        return net(images)[0].numpy()


def maps(net, x=X):
    return answer(net, x).transpose(1, 2, 0)


@pytest.fixture(params=[".keras", ".h5"])
def read(request, tmp_path):
    write = write_keras if request.param == ".keras" else write_h5

    def reader(network, **options):
        return read_network(write(tmp_path / f"net{request.param}", network, **options))

    return reader


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_windows_lie_where_keras_puts_them(read, size, stride, padding):
    kernel, bias, deep = random(size, size, 3, 2), random(2), random(size, size, 3, 2)
    shared = {"strides": [stride, stride], "padding": padding}
    window = {"kernel_size": [size, size], **shared}
    twice = {"depth_multiplier": 2, "use_bias": False}
    layers = {
        "conv": layer("Conv2D", "conv", [kernel, bias], filters=2, **window),
        "deep": layer("DepthwiseConv2D", "deep", [deep], **window, **twice),
        "max": layer("MaxPooling2D", "max", pool_size=[size, size], **shared),
        "mean": layer("AveragePooling2D", "mean", pool_size=[size, size], **shared),
    }
    same = padding == "same"
    expected = {
        "conv": loops.conv(X, kernel, bias, stride, same=same),
        "deep": loops.depthwise(X, deep, stride, same=same),
        "max": loops.pool(X, size, stride, np.max, same=same),
        "mean": loops.pool(X, size, stride, np.mean, same=same),
    }
    for name, one in layers.items():
        found = maps(read(sequential(X.shape, one)).net)
        np.testing.assert_allclose(found, expected[name], rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("size", "stride"), [(1, 2), (2, 2), (3, 1), (3, 2), (4, 2), (4, 1), (5, 3)]
)
def test_a_transposed_convolution_is_cut_as_keras_cuts_it(read, size, stride):
    kernel = random(size, size, 2, 3)
    one = layer(
        "Conv2DTranspose", "up", [kernel], filters=2, kernel_size=[size, size],
        strides=[stride, stride], padding="same", use_bias=False,
    )  # fmt: skip
    found = maps(read(sequential(X.shape, one)).net)
    np.testing.assert_allclose(found, loops.conv_transpose_same(X, kernel, stride), atol=1e-5)


def test_a_dense_layer_after_flatten_has_its_units_in_the_order_of_pytorch(read):
    gamma, beta, mean, variance = random(126), random(126), random(126), RNG.uniform(1, 2, 126)
    kernel, bias = random(126, 4), random(4)
    network = sequential(
        X.shape,
        layer("Flatten", "flat"),
        layer("BatchNormalization", "norm", [gamma, beta, mean, variance], axis=[1], epsilon=0.001),
        layer("Dense", "fc", [kernel, bias], units=4, activation="softmax"),
    )
    found = read(network)
    normed = (X.ravel() - mean) / np.sqrt(variance + 0.001) * gamma + beta
    powers = np.exp(normed @ kernel + bias)
    np.testing.assert_allclose(answer(found.net), powers / powers.sum(), rtol=1e-4)
    weight = found.net.get_submodule("fc").weight.detach().numpy()
    y, x, channel = 2, 5, 1
    np.testing.assert_allclose(
        weight[:, (channel * 6 + y) * 7 + x], kernel[(y * 7 + x) * 3 + channel], rtol=1e-6
    )
    assert found.card.output == "probabilities"


def test_layers_that_are_shared_and_networks_in_networks(read):
    kernel, bias = random(1, 1, 3, 3), random(3)
    inner_kernel, inner_bias = random(1, 1, 3, 3), random(3)
    inner = sequential(
        X.shape,
        layer("Conv2D", "mix", [inner_kernel, inner_bias], filters=3, kernel_size=1),
        name="inner",
    )
    conv = layer("Conv2D", "conv", [kernel, bias], filters=3, kernel_size=1)
    network = functional(
        X.shape,
        [
            (conv, [[("image", 0)], [("conv", 0)]]),
            (inner, [[("conv", 1)]]),
            (layer("Add", "sum"), [[("inner", 0), ("image", 0)]]),
            (layer("Concatenate", "both", axis=3), [[("sum", 0), ("conv", 0)]]),
            (layer("GlobalAveragePooling2D", "mean"), [[("both", 0)]]),
        ],
        "mean",
    )  # fmt: skip
    net = read(network).net
    once = X @ kernel[0, 0] + bias
    inside = (once @ kernel[0, 0] + bias) @ inner_kernel[0, 0] + inner_bias
    expected = np.concatenate([inside + X, once], axis=2).mean((0, 1))
    np.testing.assert_allclose(answer(net), expected, rtol=1e-4, atol=1e-5)
    assert {"conv", "inner", "sum", "both"} <= {name for name, _ in net.named_children()}
    assert sum(weight.numel() for weight in net.parameters()) == 2 * 12


def test_images_with_their_maps_first(read):
    kernel, bias, matrix = random(3, 3, 3, 2), random(2), random(40, 2)
    first = {"data_format": "channels_first"}
    network = sequential(
        (3, 6, 7),
        layer("Conv2D", "conv", [kernel, bias], filters=2, kernel_size=3, **first),
        layer("Flatten", "flat", **first),
        layer("Dense", "fc", [matrix], units=2, use_bias=False),
    )
    found = read(network)
    assert (found.card.in_channels, found.card.input_size) == (3, (6, 7))
    expected = loops.conv(X, kernel, bias).ravel() @ matrix  # flattened as (height, width, maps)
    np.testing.assert_allclose(answer(found.net), expected, rtol=1e-4, atol=1e-5)


def test_the_hard_sigmoid_of_keras_2_is_another(tmp_path):
    network = sequential(X.shape, layer("Activation", "hard", activation="hard_sigmoid"))
    old = read_network(write_h5(tmp_path / "old.h5", network))
    new = read_network(write_keras(tmp_path / "new.keras", network))
    np.testing.assert_allclose(maps(old.net), np.clip(0.2 * X + 0.5, 0, 1), atol=1e-6)
    np.testing.assert_allclose(maps(new.net), np.clip(X / 6 + 0.5, 0, 1), atol=1e-6)


def test_pixels_are_bytes_where_the_network_scales_them(read):
    head = [
        layer("Flatten", "flat"),
        layer("Dense", "fc", [random(126, 1), random(1)], units=1, activation="sigmoid"),
    ]
    plain = read(sequential(X.shape, *head))
    assert (plain.card.std, plain.is_assumed) == ((1.0,) * 3, True)
    assert "assumed: 0..1" in plain.note
    scaled = read(
        sequential(X.shape, layer("Rescaling", "scale", scale=1 / 127.5, offset=-1), *head)
    )
    assert (scaled.card.std, scaled.is_assumed) == ((1 / 255,) * 3, False)
    one = answer(plain.net, X / 127.5 - 1)
    np.testing.assert_allclose(answer(scaled.net), one, rtol=1e-4)
    assert one.shape == (2,)  # of one output, both classes
    np.testing.assert_allclose(one.sum(), 1, rtol=1e-6)


def test_a_file_is_a_model_wherever_one_is_taken(tmp_path):
    network = sequential(
        (8, 8, 1),
        layer("Flatten", "flat"),
        layer("Dense", "fc", [random(64, 3), random(3)], units=3),
    )
    opened = open_model(str(write_keras(tmp_path / "net.keras", network)))
    assert (opened.name, opened.warning, opened.card.classes) == ("net.keras", "", ("0", "1", "2"))
    with pytest.raises(RequestError, match="leave out `num_classes`"):
        open_model(str(tmp_path / "net.keras"), num_classes=4)
    with pytest.raises(RequestError, match="weights of its own"):
        open_model(str(tmp_path / "net.keras"), weights="x.pth")


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (layer("Lambda", "code", function="gASV"), "code.*Python code in the file, which.*never"),
        (layer("MyLayer", "mine"), "mine.*not among the layers"),
        (layer("LSTM", "memory", units=3), "memory.*not among the layers"),
        (layer("Conv2D", "c", filters=10**9, kernel_size=3), "filters.*at most"),
        (layer("Conv2D", "c", filters=2, kernel_size=3), "c .*no weight"),
        (layer("Conv2D", "c", [random(3, 3, 3, 5)], filters=2, kernel_size=3), "3x3x3x5.*3x3x3x2"),
        (layer("Conv2D", "c", [np.full((1, 1, 3, 1), np.nan)], filters=1, kernel_size=1), "NaN"),
        (layer("Activation", "a", activation="my_function"), "my_function"),
        (layer("Reshape", "r", target_shape=[5, -1]), "target_shape"),
        (layer("UpSampling2D", "u", size=[2**20, 2**20]), "would give|cannot take"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_named(read, one, words):
    with pytest.raises(RequestError, match=words):
        read(sequential(X.shape, one))


def test_networks_that_are_no_graph_of_one_image(read):
    two = functional(X.shape, [(layer("Flatten", "flat"), [[("image", 0)]])], "flat")
    two["config"]["input_layers"] = [["image", 0, 0], ["flat", 0, 0]]
    with pytest.raises(RequestError, match=r"2 inputs \(image, flat\)"):
        read(two)
    loop = functional(X.shape, [(layer("Add", "a"), [[("image", 0), ("a", 0)]])], "a")
    with pytest.raises(RequestError, match="takes what it gives"):
        read(loop)
    with pytest.raises(RequestError, match="not images"):
        read(sequential((10,), layer("Flatten", "flat")))
    with pytest.raises(RequestError, match="Python code that is not"):
        read({"class_name": "MyModel", "config": {"layers": []}})


@pytest.mark.parametrize("write", [write_keras, write_h5])
@pytest.mark.parametrize("has_names", [False, True])
def test_one_of_several_outputs_is_chosen_by_name(write, has_names, tmp_path):
    heads = {name: [random(126, units), random(units)] for name, units in (("a", 2), ("b", 5))}
    calls = [(layer("Flatten", "flat"), [[("image", 0)]])]
    for name, weights in heads.items():
        dense = layer("Dense", name, weights, units=weights[0].shape[1])
        calls.append((dense, [[("flat", 0)]]))
    network = functional(X.shape, calls, "a")
    places = {"a": ["a", 0, 0], "b": ["b", 0, 0]}
    network["config"]["output_layers"] = places if has_names else [*places.values()]
    path = write(tmp_path / ("net.keras" if write is write_keras else "net.h5"), network)
    with pytest.raises(RequestError, match=r"2 outputs: a, b\. Name one .*net\.\w+#a"):
        read_network(path)
    for name, (kernel, bias) in heads.items():
        net = read_network(f"{path}#{name}").net
        found = net(torch.from_numpy(X.transpose(2, 0, 1)[None].astype(np.float32)))
        np.testing.assert_allclose(found[0].detach(), X.reshape(-1) @ kernel + bias, rtol=1e-4)
    with pytest.raises(RequestError, match=r"no output 'c'\. It has a, b"):
        read_network(f"{path}#c")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_truncated_file_is_told(tmp_path, suffix):
    network = sequential(X.shape, layer("Dense", "d", [random(3, 400), random(400)], units=400))
    path = tmp_path / f"net{suffix}"
    (write_keras if suffix == ".keras" else write_h5)(path, network)
    content = path.read_bytes()
    for kept in (0, 5, len(content) // 3, len(content) * 2 // 3, len(content) - 30):
        path.write_bytes(content[:kept])
        with pytest.raises(RequestError, match=r"net\."):
            read_network(path)


def test_a_file_that_unpacks_to_more_than_a_network_is_refused(tmp_path):
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", " " * 50_000_000)
    with pytest.raises(RequestError, match="more than a network needs"):
        read_network(path)


def test_weights_in_another_file_are_not_read(tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["kernel"] = np.ones((126, 2), np.float32)
    network = sequential(
        X.shape, layer("Flatten", "flat"), layer("Dense", "fc", units=2, use_bias=False)
    )
    path = write_h5(tmp_path / "net.h5", network)
    with h5py.File(path, "a") as file:
        group = file["model_weights/fc"]
        group["fc/kernel:0"] = h5py.ExternalLink(str(secret), "kernel")
        group.attrs["weight_names"] = [b"fc/kernel:0"]
    with pytest.raises(RequestError, match="another file"):
        read_network(path)


def test_an_array_that_is_stated_and_not_there_takes_no_memory(tmp_path):
    network = sequential(X.shape, layer("Dense", "fc", units=2**24, use_bias=False))
    path = write_h5(tmp_path / "net.h5", network)
    with h5py.File(path, "a") as file:
        group = file["model_weights/fc"]
        group.create_dataset("fc/kernel:0", (3, 2**24), np.float32, chunks=(1, 1024))
        group.attrs["weight_names"] = [b"fc/kernel:0"]
    with pytest.raises(RequestError, match="bytes that are not in the file"):
        read_network(path)


def test_h5py_is_named_where_it_is_missing(tmp_path, monkeypatch):
    path = write_keras(tmp_path / "net.keras", sequential(X.shape, layer("Flatten", "flat")))
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(RequestError, match=r"pip install 'convscope\[keras\]'"):
        read_network(path)

"""Networks as tables in text files: the lecture's two, every rule of a cell, every refusal."""

import math
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import convscope
from convscope.errors import RequestError
from convscope.layers import LocallyConnected2d, LocalResponseNorm, ScaledTanh, Subsampling2d
from convscope.zoo import create_model, default_input
from convscope.zoo.table_file import Table, _rows, read_table
from convscope.zoo.table_layers import build_table

DOCS = Path(convscope.__file__).parents[1] / "docs" / "networks.md"

LENET5 = """
layer      filters  size  stride  activation
conv1            6     5       1  tanh
avgpool1         .     2       2  .
conv2           16     5       1  Tanh
avgpool2         .     2       2  .
conv3          120     5       1  tanh
fc1             84     .       .  tanh
fc2        classes     .       .  .
"""

ALEXNET = """
layer     filters  size  stride  padding  groups  activation
conv1          96    11       4        .       .  relu
lrn1            .     .       .        .       .  .
pool1           .     3       2        .       .  .
conv2         256     5       .        2       2  relu
pool2           .     3       2        .       .  .
conv3         384     3       .        1       .  relu
conv4         384     3       .        1       2  relu
conv5         256     3       .        1       2  relu
pool5           .     3       2        .       .  .
fc6          4096     .       .        .       .  relu
dropout6        .     .       .        .       .  .
fc7          4096     .       .        .       .  relu
dropout7      0.5     .       .        .       .  .
fc8       classes     .       .        .       .  .
"""


def network(layers, size=(8, 8), *, channels=1, classes=None):
    """The network of a table's text, for images of `channels` and `size`."""
    rows = tuple(_rows("net.toml", layers))
    return build_table(Table("net.toml", "", channels, size, rows), num_classes=classes)


def one(row, size=(8, 8), *, columns="size stride padding"):
    """The layers of one row, without what makes a classifier of them."""
    net = network(f"layer {columns}\n{row}\nglobalpool" + " ." * len(columns.split()), size)
    return nn.Sequential(*list(net)[:-2])


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text, name="net.toml"):
        Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return name

    return write


def count(net):
    return sum(weight.numel() for weight in net.parameters())


def test_the_lectures_lenet5_answers_as_the_zoos():
    ours, zoos = network(LENET5, (32, 32)), create_model("lenet5")
    assert count(ours) == 61_706
    ours.load_state_dict(zoos.state_dict())
    images = torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ours(images), zoos(images))


@pytest.mark.parametrize(("groups", "parameters"), [("2", 60_965_224), (".", 62_378_344)])
def test_alexnet_has_the_papers_sizes_and_parameters(groups, parameters):
    table = re.sub(r"2(  relu)", rf"{groups}\1", ALEXNET)
    sides = []
    with torch.device("meta"):
        net = network(table, (227, 227), channels=3, classes=1000)
        for name, layer in net.named_children():
            if name[:4] in ("conv", "pool") and "_" not in name:
                layer.register_forward_hook(lambda _m, _x, y: sides.append(y.shape[2:]))
        assert net.eval()(torch.zeros(1, 3, 227, 227)).shape == (1, 1000)
    assert [tuple(side) for side in sides] == [(n, n) for n in (55, 27, 27, 13, 13, 13, 13, 6)]
    assert count(net) == parameters
    assert net.get_submodule("lrn1").n == 5
    assert [layer.p for layer in net if isinstance(layer, nn.Dropout)] == [0.5, 0.5]


def test_the_example_of_the_documentation_is_built_as_it_says(write):
    example = re.search(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert example
    name = write(example[1])
    assert default_input(name) == (3, (32, 32))
    net = create_model(name, num_classes=7)
    sizes = [(3 * 25 + 1) * 32, (32 * 9 + 1) * 64, 2 * 64, (64 * 8 * 8 + 1) * 128, 129 * 7]
    assert count(net) == sum(sizes)
    assert net.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 7)
    assert " ".join(net._modules) == (
        "conv1 conv1_relu pool1 conv2 bn2 bn2_relu pool2 flatten fc1 fc1_relu dropout1 fc2"
    )
    assert isinstance(net.get_submodule("pool1"), nn.MaxPool2d)


def test_every_kind_and_activation_of_the_documentation_is_known():
    kinds = re.findall(r"^\| (`.*?) \|", DOCS.read_text().split("| kind |")[1], re.MULTILINE)
    for kind in re.findall(r"`(\w+)`", " ".join(kinds)):
        filters = "classes" if kind in ("conv", "local", "fc", "dense") else "."
        size = "2" if kind in ("conv", "local", "subsample") or kind.endswith("pool") else "."
        size = "." if kind == "globalpool" else size
        network(f"layer filters size\n{kind}1 {filters} {size}\nfc9 classes .")
    told = re.search(r"`activation` is (.*?)\. The softmax", DOCS.read_text(), re.DOTALL)
    assert told
    for activation in re.findall(r"`([a-z-]+)`", told[1]):
        network(f"layer filters activation\nfc1 3 {activation}\nfc2 3 .")


SAME = dict(size=st.integers(3, 9), kernel=st.integers(1, 5), stride=st.integers(1, 4))


@given(**SAME, other=st.integers(3, 9))
@settings(max_examples=60)
def test_same_padding_of_a_convolution_puts_the_odd_cell_last(size, kernel, stride, other):
    layers = one(
        f"conv1 1 {kernel} {stride} same", (size, other), columns="filters size stride padding"
    )
    image = torch.randn(1, 1, size, other)
    weight = {name.rpartition(".")[2]: value for name, value in layers.state_dict().items()}
    sides = []
    for n in (other, size):  # F.pad begins with the last axis
        lacking = max(0, (math.ceil(n / stride) - 1) * stride + kernel - n)
        sides += [lacking // 2, lacking - lacking // 2]
    expected = F.conv2d(F.pad(image, sides), weight["weight"], weight["bias"], stride)
    assert torch.equal(layers(image), expected)
    assert expected.shape[2:] == (math.ceil(size / stride), math.ceil(other / stride))


@given(**SAME, other=st.integers(3, 9), kind=st.sampled_from(("maxpool", "avgpool", "minpool")))
@settings(max_examples=80)
def test_same_padding_of_a_pool_counts_no_cell_outside(size, other, kernel, stride, kind):
    if stride == 1 and kernel % 2 == 0:
        with pytest.raises(RequestError, match="take an odd size"):
            one(f"{kind}1 {kernel} {stride} same", (size, other))
        return
    image = torch.randn(1, 1, size, other)
    starts = []
    for n in (size, other):
        lacking = max(0, (math.ceil(n / stride) - 1) * stride + kernel - n)
        starts.append([place * stride - lacking // 2 for place in range(math.ceil(n / stride))])
    of = {"maxpool": torch.max, "avgpool": torch.mean, "minpool": torch.min}[kind]
    expected = torch.tensor(
        [
            [
                of(image[0, 0, max(0, y) : y + kernel, max(0, x) : x + kernel]).item()
                for x in starts[1]
            ]
            for y in starts[0]
        ]
    )
    answer = one(f"{kind}1 {kernel} {stride} same", (size, other))(image)[0, 0]
    torch.testing.assert_close(answer, expected)


def test_two_numbers_are_vertical_and_horizontal():
    net = network(
        "layer filters size stride padding dilation\n"
        "conv1 classes 3x5 1x2 0x1 2x1\navgpool1 . 2x1 . . .\nfc1 classes . . . .",
        (10, 11),
    )
    conv, pool, *_ = net
    assert (conv.kernel_size, conv.stride) == ((3, 5), (1, 2))
    assert (conv.padding, conv.dilation) == ((0, 1), (2, 1))
    assert (pool.kernel_size, pool.stride) == ((2, 1), (2, 1))
    assert net.get_submodule("fc1").in_features == 10 * 3 * 5


def test_the_layers_that_torch_has_not_are_those_of_their_papers():
    net = network(
        "layer filters size groups activation\n"
        "conv1 6 5 . scaled-tanh\nsubsample1 . 2 . sigmoid\nlrn1 . 3 2 .\n"
        "local2 4 3 2 .\nbn2 . . . relu\nfc3 5 . . leaky-relu\nbn3 . . . .\nfc4 classes . . .",
        (32, 32),
    )
    assert isinstance(net.get_submodule("conv1_scaled_tanh"), ScaledTanh)
    assert isinstance(net.get_submodule("subsample1"), Subsampling2d)
    norm, local = net.get_submodule("lrn1"), net.get_submodule("local2")
    assert isinstance(norm, LocalResponseNorm)
    assert (norm.n, norm.groups) == (3, 2)
    assert isinstance(local, LocallyConnected2d)
    assert (local.input_size, local.output_size, local.groups) == ((14, 14), (12, 12), 2)
    assert isinstance(net.get_submodule("bn2"), nn.BatchNorm2d)
    assert isinstance(net.get_submodule("bn3"), nn.BatchNorm1d)
    assert net(torch.randn(2, 1, 32, 32)).shape == (2, 10)


def test_flatten_may_stand_in_a_row_of_its_own_and_a_last_map_of_one_unit_needs_none():
    own = network("layer filters\nflatten7 .\nfc1 4", (4, 4))
    assert list(own._modules) == ["flatten7", "fc1"]
    last = network("layer filters size\nconv1 4 4", (4, 4))
    assert last(torch.zeros(2, 1, 4, 4)).shape == (2, 4)


@pytest.mark.parametrize("kind", ["conv1", "local1"])
def test_an_uneven_padding_becomes_a_layer_of_its_own(kind):
    net = network(f"layer filters size stride padding\n{kind} 3 3 2 same\nglobalpool . . . .")
    assert list(net._modules) == [f"{kind}_pad", kind, "globalpool", "flatten"]
    assert net(torch.randn(2, 1, 8, 8)).shape == (2, 3)


def test_first_weights_follow_the_activation():
    torch.manual_seed(0)
    net = network(
        "layer filters size activation\n"
        "conv1 64 5 tanh\nconv2 64 3 relu\nfc1 300 . silu\nfc2 200 . .",
        (12, 12),
    )
    variance = {
        name: net.get_parameter(f"{name}.weight").var().item()
        for name in ("conv1", "conv2", "fc1", "fc2")
    }
    assert variance["conv1"] == pytest.approx(2 / (25 + 64 * 25), rel=0.1)
    assert variance["conv2"] == pytest.approx(2 / (64 * 9), rel=0.05)
    assert variance["fc1"] == pytest.approx(2 / (64 * 36), rel=0.05)
    assert variance["fc2"] == pytest.approx(2 / (300 + 200), rel=0.05)
    assert not any(net.get_parameter(f"{name}.bias").any() for name in variance)


def test_a_file_from_a_windows_editor_is_read(write):
    text = f'input = "1 × 32 × 32"\nlayers = """{LENET5}"""\n'.replace("\n", "\r\n")
    assert count(create_model(write(text.encode("utf-8-sig"), "NET.TOML"))) == 61_706


def test_what_is_said_in_python_wins_over_the_file(write):
    name = write(f'input = "1x32x32"\nlayers = """{LENET5}"""')
    net = create_model(name, num_classes=3, in_channels=3, input_size=(36, 40))
    assert net.get_submodule("conv1").in_channels == 3
    assert net.get_submodule("fc1").in_features == 120 * 2 * 3
    assert net.get_submodule("fc2").out_features == 3


def test_without_an_input_in_the_file_it_must_be_said(write):
    name = write(f'layers = """{LENET5}"""')
    assert default_input(name) == (None, None)
    with pytest.raises(RequestError, match=r"net\.toml does not state its input"):
        create_model(name)
    assert count(create_model(name, in_channels=1, input_size=(32, 32))) == 61_706


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"layers = '''\xff'''", "net.toml is not UTF-8 text (byte 12). Save it as UTF-8."),
        ("layers = '''a\nb", "net.toml is not TOML: Expected"),
        ("input = '3x32x32'\nlayers =\n", "(at line 2, column 9)"),
        (f"layers = {'[' * 100_000}", "net.toml is not TOML"),
        ("#" * 1_000_001, "too long for a layer table"),
        ("layer = ''", "a key 'layer'; the keys are input and layers. Did you mean 'layers'?"),
        ("input = '3x32x32'", "net.toml has no table of layers"),
        ("layers = ['conv1']", "net.toml has no table of layers"),
        ("layers = ''", "the first row of the table must name its columns"),
        ("layers = 'layer filters'", "has no layers below"),
        ("input = '32x32x3'\nlayers = '''layer\nbn1'''", 'input = "3x32x32"'),
        ("input = 32\nlayers = '''layer\nbn1'''", "input is 32; write channels x height"),
        ("input = '4x32x32'\nlayers = '''layer\nbn1'''", "1 channel for gray and 3"),
        ("input = '3x0x32'\nlayers = '''layer\nbn1'''", "input is '3x0x32'"),
    ],
)
def test_a_file_that_is_no_table_is_refused(write, content, told):
    with pytest.raises(RequestError, match=re.escape(told)):
        create_model(write(content))


@pytest.mark.usefixtures("write")
def test_a_missing_file_and_a_folder_are_told(tmp_path):
    with pytest.raises(RequestError, match=r"There is no file gone\.toml"):
        create_model("gone.toml")
    (tmp_path / "nets.toml").mkdir()
    with pytest.raises(RequestError, match=r"nets\.toml cannot be read as a layer table"):
        create_model("nets.toml")


C = "layer filters size stride padding activation groups\n"


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ("conv1 6 5", "net.toml: the first row of the table must name its columns"),
        ("layer filter\nfc1 5", "no column 'filter'. Did you mean 'filters'?"),
        ("layer neurons\nfc1 5", "no column 'neurons'. Known: layer, filters"),
        ("layer size size\nfc1 5 5", "the column 'size' appears twice"),
        ("layer filters\nfc1 5\nfc2", "row 2 (fc2): it has 1 cells for 2 columns"),
        ("layer filters\nfc1 5\nfc1 5", "row 2 (fc1): an earlier row has the same name"),
        ("layer filters\n5conv 5", "row 1 (5conv): a layer's name is its kind and a number"),
        ("layer filters\nfc.1 5", "a layer's name is its kind and a number"),
        ("layer filters\ncnov1 5", "no kind of layer 'cnov'. Did you mean 'conv'?"),
        ("layer filters\nblob1 5", "no kind of layer 'blob'. Known: conv, local, pool"),
        (f"{C}conv1 . 3 . . . .", "row 1 (conv1): conv needs filters: write a number"),
        (f"{C}conv1 8 . . . . .", "row 1 (conv1): conv needs size: write 3, or 3x5"),
        (f"{C}pool1 8 2 . . . .", "pool takes no filters; write . there"),
        (f"{C}fc1 8 2 . . . .", "fc takes no size; write . there"),
        (
            f"{C}conv1 0 3 . . . .",
            "filters is '0'; it must be a whole number from 1 to 999,999, or classes",
        ),
        (
            f"{C}conv1 8 three . . . .",
            "size is 'three'; it must be a whole number from 1 to 999,999, or two",
        ),
        (f"{C}fc1 1000000 . . . . .", "from 1 to 999,999, or classes"),
        (f"{C}conv1 8 3x3x3 . . . .", "size is '3x3x3'"),
        (f"{C}conv1 8 3 0 . . .", "stride is '0'"),
        (
            f"{C}conv1 8 3 . half . .",
            "padding is 'half'; it must be a whole number from 0 to 999,999, or two",
        ),
        (f"{C}conv1 8 3 . -1 . .", "padding is '-1'"),
        (
            f"{C}conv1 8 3 . . . 1x2",
            "groups is '1x2'; it must be a whole number from 1 to 999,999.",
        ),
        (f"{C}conv1 8 3 . . . 3", "row 1 (conv1): 3 groups do not divide"),
        (f"{C}conv1 8 3 . . . .\nlrn1 . . . . . 3", "row 2 (lrn1): 3 groups do not divide 8 maps"),
        (f"{C}lrn1 . 4 . . . .", "row 1 (lrn1): n is 4"),
        (f"{C}lrn1 . 3x5 . . . .", "row 1 (lrn1): size of lrn is one number"),
        (f"{C}dropout1 1.5 . . . . .", "filters is '1.5'; it must be the probability of a drop"),
        (f"{C}dropout1 nan . . . . .", "the probability of a drop"),
        (f"{C}fc1 8 . . . leaky_relu .", "no activation 'leaky_relu'. Did you mean 'leaky-relu'?"),
        (f"{C}fc1 8 . . . maxout .", "no activation 'maxout'. Known: relu, tanh"),
        (f"{C}fc1 8 . . . softmax .", "softmax belongs to the loss: write . there"),
        (
            f"{C}fc1 8 . . . .  .\nconv2 8 3 . . . .",
            "row 2 (conv2): it needs maps, but row 1 (fc1)",
        ),
        (f"{C}fc1 8 . . . .  .\npool2 . 2 . . . .", "row 2 (pool2): it needs maps"),
        (f"{C}conv1 8 3 . . . .", "row 1 (conv1): the network ends with maps of 6x6"),
        (f"{C}subsample1 . 2 1 . . .", "subsample do not overlap"),
        (f"{C}pool1 . 2 . 2 . .", "row 1 (pool1): A padding of 2 is more than half"),
        (f"{C}conv1 8 3 . . relu .\nbn1 . . . . . .\nconv1_relu 8 3 . . . .", "a layer conv1_relu"),
    ],
)
def test_a_row_that_cannot_be_is_refused_by_number_and_name(layers, told):
    with pytest.raises(RequestError, match=re.escape(told)):
        network(layers)


CHAIN = """
layer  filters  size  stride  padding
conv1        6     5       1        .
pool1        .     2       2        .
conv2       16     5       1        .
pool2        .     2       2        .
"""
NO_FIT = "does not fit a 4x4 map"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("conv3 9 5 . .", f"a 5x5 filter {NO_FIT}; pad by 1 or drop the pooling of row 4."),
        ("conv3 9 9 . 1", f"{NO_FIT} with padding 1; pad by 3 or drop the pooling of row 2."),
        ("conv3 9 9 . 1x0", f"{NO_FIT} with padding 1x0; pad by 3 or drop the pooling of row 2."),
        ("conv3 9 8 . .", f"{NO_FIT}; pad by 2 or drop the pooling of row 4."),
        ("conv3 9 1x9 . .", f"{NO_FIT}; pad by 3 or drop the pooling of row 2."),
        ("pool3 . 2x9 . .", f"a 2x9 window {NO_FIT}; drop the pooling of row 2."),
        ("pool3 . 5 . .", f"a 5x5 window {NO_FIT}; pad by 1 or drop the pooling of row 4."),
        ("subsample3 . 5 . .", f"5x5 window {NO_FIT}; drop the pooling of row 4."),
        ("conv3 9 99 . .", f"{NO_FIT}; pad by 48."),
        ("pool3 . 9 . .", f"{NO_FIT}; pad by 3 or drop the pooling of row 2."),
        ("conv3 9 3x5 . .", f"a 3x5 filter {NO_FIT}; pad by 1 or drop the pooling of row 4."),
    ],
)
def test_a_window_that_does_not_fit_is_told_with_remedies(row, told):
    with pytest.raises(RequestError, match=re.escape(f"net.toml, row 5 ({row.split()[0]}): ")) as e:
        network(CHAIN + row, (28, 28))
    assert str(e.value).endswith(told)


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        (
            "stride\nconv1 6 3 3\nlrn1 . 5 .\nconv2 6 4 .",
            "a 4x4 filter does not fit a 2x2 map; pad by 1 or take a smaller stride in row 1.",
        ),
        (
            "\nsubsample1 . 11",
            "an 11x11 window does not fit an 8x8 map; take a larger input.",
        ),
        (
            "dilation\nconv1 6 3 4",
            "a 3x3 filter with dilation 4 does not fit an 8x8 map; pad by 1.",
        ),
        (
            "\nglobalpool . .\nconv1 6 3",
            "a 3x3 filter does not fit a 1x1 map; pad by 1 or drop the pooling of row 1.",
        ),
    ],
)
def test_the_remedy_is_one_that_the_layer_has(layers, told):
    with pytest.raises(RequestError) as error:
        network(f"layer filters size {layers}")
    assert str(error.value).endswith(told)


def test_each_remedy_that_is_told_works():
    network(CHAIN + "conv3 9 5 . 1\nglobalpool . . . .", (28, 28))
    without = "\n".join(line for line in CHAIN.splitlines() if "pool2" not in line) + "\n"
    network(without + "conv3 9 5 . .\nglobalpool . . . .", (28, 28))
    with pytest.raises(RequestError, match="4x4 map with padding 2; pad by 3"):
        network(CHAIN + "conv3 9 9 . 2\nglobalpool . . . .", (28, 28))


def test_a_last_layer_of_another_width_is_refused_where_classes_are_asked_for():
    assert network("layer filters\nfc1 84").get_submodule("fc1").out_features == 84
    with pytest.raises(RequestError, match=r"row 1 \(fc1\): the network ends with 84 units, but t"):
        network("layer filters\nfc1 84", classes=10)


@pytest.mark.parametrize(
    ("layers", "side", "told"),
    [
        ("\nfc1 999999\nfc2 999999", 8, "row 2 (fc2): the weights so far take 4,000,256 MB"),
        ("size\nlocal1 9999 9", 999, "row 1 (local1): the weights so far take 3,220,904 MB"),
        (
            "size\nconv1 999999 1",
            999,
            "row 1 (conv1): its maps take 3,992,000 MB, more than the limit of 4,000 MB",
        ),
        ("\nfc1 10", 999_999, "net.toml: the input takes 3,999,992 MB"),
    ],
)
def test_a_network_beyond_any_memory_is_refused_before_it_takes_some(layers, side, told):
    with pytest.raises(RequestError, match=re.escape(told)):
        network(f"layer filters {layers}", (side, side))


def test_a_table_is_told_from_other_names():
    assert create_model("lenet5")
    assert default_input("tinyvgg") == (3, (32, 32))
    assert default_input("some.module:attr") == (None, None)


def test_rows_are_counted_without_remarks_and_empty_lines(write):
    name = write(
        "layers = '''\n# a remark\nlayer filters\n\nfc1 5 # another\n\n# more\nfc2 classes'''"
    )
    assert [(row.number, row.name, row.filters) for row in read_table(name).rows] == [
        (1, "fc1", 5),
        (2, "fc2", "classes"),
    ]

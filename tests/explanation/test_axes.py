"""Networks of one and of three axes, and results without maps: every unit prints and draws."""

import itertools
import json
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from convscope.errors import NetworkError
from convscope.explanation.recording import record
from convscope.explanation.rendering.text import im2col_text


class Signal(nn.Module):
    """A network of signals (c, t): convolutions, pooling of all kinds, an LSTM, tokens."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm1d(4)
        self.grouped = nn.Conv1d(4, 4, 3, stride=2, dilation=2, padding=2, groups=2)
        self.up = nn.ConvTranspose1d(4, 3, 4, stride=2)
        self.lstm = nn.LSTM(3, 3, batch_first=True)
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        x = self.norm(self.conv(x)).relu()
        x = F.max_pool1d(x, 3, 2, 1)
        x = self.up(self.grouped(x))
        x = F.avg_pool1d(x, 2) + F.adaptive_max_pool1d(x, 4)
        x = torch.cat((x, F.adaptive_avg_pool1d(x, 3)), 2)
        x = torch.cat((x, F.lp_pool1d(x, 2.0, 3)), 2)
        steps, _ = self.lstm(x.transpose(1, 2))
        windows = x.unfold(2, 3, 2)
        tokens = F.layer_norm(steps, (3,))
        vector = tokens.mean(1) + windows.amax((2, 3))
        return self.fc(vector)[0].sum()


class Volume(nn.Module):
    """A network of volumes (c, d, h, w)."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(2, 4, (2, 3, 3), padding=(1, 1, 0))
        self.norm = nn.BatchNorm3d(4)
        self.grouped = nn.Conv3d(4, 4, 2, stride=(1, 2, 1), groups=4)
        self.up = nn.ConvTranspose3d(4, 2, 2, stride=2)
        self.fc = nn.Linear(2, 3)

    def forward(self, x):
        x = self.norm(self.conv(x)).relu()
        x = F.max_pool3d(x, 2, 1, 1)
        x = self.up(self.grouped(x))
        x = F.avg_pool3d(x, 2) + F.adaptive_avg_pool3d(x, (4, 2, 4)).max()
        x = F.adaptive_max_pool3d(F.interpolate(x, scale_factor=2.0), 2)
        x = F.lp_pool3d(x, 2.0, 2)
        return self.fc(x.flatten(1)).softmax(1)


def recorded(net, shape):
    torch.manual_seed(0)
    return record(net.eval(), torch.randn(shape))


@pytest.fixture(scope="module")
def signal():
    return recorded(Signal(), (1, 2, 9))


@pytest.fixture(scope="module")
def volume():
    return recorded(Volume(), (1, 2, 3, 5, 4))


class Balanced(HTMLParser):
    """Fails where tags do not match."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("which", ["signal", "volume"])
def test_every_unit_prints_as_text_html_and_json(which, request):
    recording = request.getfixturevalue(which)
    for name in recording.names:
        shape = recording[name].shape
        for at in itertools.product(*map(range, shape)):
            explanation = recording.explain(name, at)
            assert explanation.at == at
            assert explanation.decomposition.kind != "unsupported", (name, explanation.formula)
            assert explanation.is_within_tolerance, (name, at)
            assert str(explanation).startswith(f"{explanation.location} = ")
            parser = Balanced()
            parser.feed(explanation._repr_html_())
            assert parser.open == []
            assert json.loads(json.dumps(explanation.to_dict(), allow_nan=False))["name"] == name
            assert im2col_text(explanation.terms)


@pytest.mark.parametrize("which", ["signal", "volume"])
def test_channel_sums_and_the_bias_add_up(which, request):
    recording = request.getfixturevalue(which)
    for name in ("conv", "grouped", "up"):
        shape = recording[name].shape
        for at in itertools.islice(itertools.product(*map(range, shape)), 0, None, 7):
            explanation = recording.explain(name, at)
            channels = explanation.patch.shape[0]
            assert explanation.channel_sums.shape == (channels,)
            total = explanation.channel_sums.sum() + explanation.decomposition.bias
            assert total == pytest.approx(explanation.exact_value)
            assert explanation.filter.shape == explanation.patch.shape
            assert np.array_equal(explanation.im2col[1], explanation.patch.ravel())


def test_a_pool_has_no_channel_sums(signal, volume):
    for recording in (signal, volume):
        for name in ("max_pool1d", "max_pool3d", "avg_pool1d", "avg_pool3d"):
            if name in recording.names:
                at = (0,) * len(recording[name].shape)
                explanation = recording.explain(name, at)
                assert explanation.channel_sums is None
                assert explanation.patch.ndim == len(at) - 1


def test_a_window_along_one_axis_is_a_row():
    net = nn.Conv1d(2, 1, 3, padding=1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[[1.0, 2, 3], [0, -1, 5]]]))
        net.bias.fill_(0.5)
    recording = record(nn.Sequential(net), torch.tensor([[[4.0, 5, 6], [7, 8, 9]]]))
    text = recording.explain("0", (0, 0)).to_text().replace("\N{MINUS SIGN}", "-")
    assert text.splitlines()[2:8] == [
        "",
        "image[1]     0.weight[0,1]     products",
        "·  7  8   ×  0  -1  5       =  ·  -7  40   sum 33",
        "",
        "",
        "image[0]     0.weight[0,0]     products",
    ]
    assert "channel by channel: 23 + 33 = 56" in text
    assert "Receptive field: positions -1 to 1 (3, 66.7% of it inside the image)." in text


def test_a_window_along_three_axes_is_a_plane_for_each_step():
    net = nn.Conv3d(1, 1, 2, padding=(1, 0, 0), bias=False)
    nn.init.ones_(net.weight)
    image = torch.arange(8.0).reshape(1, 1, 2, 2, 2)
    lines = str(record(nn.Sequential(net), image).explain("0", (0, 1, 0, 0))).splitlines()
    rows = [line for line in lines if "image[0,0]" in line or "image[0,1]" in line]
    assert rows == [
        "image[0,0]     0.weight[0,0,0]     products",
        "image[0,1]     0.weight[0,0,1]     products",
    ]
    assert "plane by plane: 6 + 22 = 28" in lines
    assert "Receptive field: planes 0 to 1, rows 0 to 1, columns 0 to 1 (2x2x2)." in lines
    before = str(record(nn.Sequential(net), image).explain("0", (0, 0, 0, 0)))
    assert "padding     0.weight[0,0,0]     products" in before


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        (nn.MaxPool1d(2), "y[c,j] = max x[c, ...] under the window"),
        (nn.MaxPool3d(2), "y[c,t,i,j] = max x[c, ...] under the window"),
        (nn.AdaptiveMaxPool1d(2), "y[c,j] = max x[c, ...]"),
        (nn.AdaptiveMaxPool3d(2), "y[c,t,i,j] = max x[c, ...]"),
        (nn.LPPool1d(2, 2), "y[c,j] = (Σ x^2)^(1/2)"),
        (nn.LPPool3d(2, 2), "y[c,t,i,j] = (Σ x^2)^(1/2)"),
        (nn.Conv1d(1, 1, 2), "y[k,j] = Σ w[k,c,v] · x[c, j + v] + b"),
        (nn.ConvTranspose1d(1, 1, 2), "y[k,j] = Σ w[c,k,v] · x[c, j − v] + b"),
        (
            nn.ConvTranspose1d(1, 1, 3, 2, 1, dilation=2),
            "y[k,j] = Σ w[c,k,v] · x[c, (j + 1 − 2v) / 2] + b",
        ),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value),
)
def test_a_formula_has_as_many_letters_as_a_layer_has_axes(layer, formula):
    count = 3 if "3d" in type(layer).__name__ else 1
    recording = record(nn.Sequential(layer), torch.ones(1, 1, *[4] * count))
    assert recording.explain("0", (0,) * (count + 1)).formula == formula


@pytest.mark.parametrize("plane", [0, 1, 2])
def test_the_winner_is_marked_in_its_plane(plane):
    image = torch.zeros(1, 1, 3, 3, 3)
    image[0, 0, plane, 1, 2] = 7
    text = str(record(nn.Sequential(nn.MaxPool3d(3)), image).explain("0", (0, 0, 0, 0)))
    titles, _, marked, _ = text.splitlines()[3:7]
    assert titles.split() == ["image[0,0]", "image[0,1]", "image[0,2]"]
    start = titles.index(f"image[0,{plane}]")
    assert start <= marked.index("[7]") < start + len("image[0,0]    ")
    assert text.count("[7]") == 1
    assert f"the maximum of 27: 7 at image[0,{plane},1,2]" in text


def test_ties_are_marked_in_a_pool_along_one_axis():
    recording = record(nn.Sequential(nn.MaxPool1d(3)), torch.tensor([[[2.0, 5, 5]]]))
    text = str(recording.explain("0", (0, 0)))
    assert " 2   [5]  [5]" in text
    assert "tied with image[0,2]" in text


@pytest.mark.parametrize("build", [lambda: nn.Conv1d(2, 1, 4), lambda: nn.LSTM(9, 2)])
def test_a_signal_may_come_without_its_batch_axis(build):
    torch.manual_seed(0)
    net, image = nn.Sequential(build()), torch.randn(2, 9)
    if isinstance(net[0], nn.LSTM):
        net = net[0]
    with_batch, without = record(net, image[None]), record(net, image)
    assert without["image"].tensor.shape == (1, 2, 9)
    at = (0,) * len(without[without.output].shape)
    assert without.explain(without.output, at).exact_value == pytest.approx(
        with_batch.explain(with_batch.output, at).exact_value
    )


def test_a_network_that_takes_no_reading_of_the_image_raises_what_it_says_of_an_image():
    with pytest.raises(NetworkError, match=r"\[1, 1, 5, 9\] to have 2 channels"):
        record(nn.Conv2d(2, 3, 3), torch.randn(1, 5, 9))

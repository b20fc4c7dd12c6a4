"""Changed passes: hooks by hand as the oracle, laws, and a filter that is tied to a class."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

import convscope
from convscope.card import Card
from convscope.cli import main
from convscope.errors import RequestError
from convscope.interventions.edits import parse_edit


def _card(channels: int, classes: int, side: int = 12) -> Card:
    return Card(
        classes=tuple(f"c{n}" for n in range(classes)), input_size=(side, side),
        in_channels=channels, resize_mode="pad", mean=(0.0,) * channels, std=(1.0,) * channels,
    )  # fmt: skip


class Skip(nn.Module):
    """A block with a functional ReLU, a skip and a ReLU in place."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv1 = nn.Conv2d(3, 5, 3, padding=1)
        self.conv2 = nn.Conv2d(5, 5, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))
        x = self.relu(x + self.conv2(x))
        return self.fc(x.mean((2, 3)))


@pytest.fixture
def net() -> Skip:
    net = Skip().eval()
    vars(net)["card"] = _card(3, 4)
    return net


IMAGE = torch.randn(3, 12, 12, generator=torch.Generator().manual_seed(0))


def _after(net: nn.Module, *edits: str) -> Tensor:
    found = convscope.intervene(net, IMAGE, set=edits)
    return found.after[found.after.output].value


def test_a_silenced_map_is_what_a_hook_by_hand_makes_of_it(net: Skip) -> None:
    def silence(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        output = output.clone()
        output[:, 2] = 0
        output[:, 4, 3, 5] *= 3
        return output

    found = _after(net, "conv2[2]=0", "conv2[4,3,5]*=3")
    handle = net.conv2.register_forward_hook(silence)
    with torch.no_grad():
        expected = net(IMAGE[None])[0]
    handle.remove()
    assert torch.equal(found, expected)


def test_a_function_and_a_sum_can_be_changed(net: Skip) -> None:
    with torch.no_grad():
        x = F.relu(net.conv1(IMAGE[None]))
        x[:, 1] = x[:, 1].mean()
        y = x + net.conv2(x)
        y[:, 3, 0] += 0.5
        expected = net.fc(F.relu(y).mean((2, 3)))[0]
    assert torch.allclose(_after(net, "relu[1]=mean", "add[3,0]+=0.5"), expected, atol=1e-6)


def test_changed_weights_are_those_of_another_network_and_the_network_stays(net: Skip) -> None:
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    found = _after(net, "conv1.weight[0]=0", "conv1.bias[0]=0", "fc.weight[:,2]*=2")
    other = Skip().eval()
    with torch.no_grad():
        other.conv1.weight[0] = 0
        other.conv1.get_parameter("bias")[0] = 0
        other.fc.weight[:, 2] *= 2
        assert torch.equal(found, other(IMAGE[None])[0])
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert not net.training


def test_a_unit_set_to_its_own_value_changes_nothing_to_the_bit(net: Skip) -> None:
    found = convscope.intervene(net, IMAGE, set="conv2[1,4,4]*=1")
    value = float(found.before["conv2"].value[1, 4, 4])
    again = convscope.intervene(net, IMAGE, set=f"conv2[1,4,4]={value!r}")
    for result in (found, again):
        assert result.operations() == []
        for name in result.before.names:
            assert torch.equal(result.before[name].tensor, result.after[name].tensor)


def test_behind_linear_layers_twice_the_change_has_twice_the_effect() -> None:
    torch.manual_seed(2)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.AvgPool2d(2), nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(18, 2)
    )
    vars(net)["card"] = _card(1, 2)
    image = torch.randn(1, 12, 12)
    plain = convscope.intervene(net, image, set="0[1]+=0").after["4"].value
    moved = [convscope.intervene(net, image, set=f"0[1]+={d}").after["4"].value for d in (1, 2)]
    assert torch.allclose(moved[1] - plain, 2 * (moved[0] - plain), atol=1e-5)
    assert float((moved[0] - plain).abs().max()) > 1e-3


def test_the_changes_of_the_terms_add_up_to_the_change_of_the_logit(net: Skip) -> None:
    found = convscope.intervene(net, IMAGE, set="relu[1]=0")
    change = found.unit("fc", 2)
    assert change.after - change.before == pytest.approx(change.sum_of_changes, abs=1e-6)
    total = sum(term.change for term in change.terms)
    assert total == pytest.approx(change.sum_of_changes, abs=1e-9)
    assert abs(change.terms[0].change) == max(abs(term.change) for term in change.terms)
    names = [each.name for each in found.operations()]
    kinds = [each.kind for each in found.operations()]
    assert kinds == ["relu", "conv2d", "add", "relu", "mean", "linear"]
    assert names[0] == "relu"
    conv = found.unit("conv2", (0, 5, 5))
    weight = net.conv2.weight.detach()[0, 1].double()
    patch = found.before["relu"].value[1, 4:7, 4:7].double()
    assert conv.sum_of_changes == pytest.approx(-float((weight * patch).sum()), abs=1e-9)
    with pytest.raises(RequestError, match="no sum of products"):
        found.unit("relu", (0, 1, 1))


def test_a_patched_map_is_that_of_the_other_image(net: Skip, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(path)
    found = convscope.intervene(net, paths[0], set=f"conv1[:]=@{paths[1]}")
    other = convscope.record(net, paths[1])
    assert torch.equal(found.after["fc"].value, other["fc"].value)


class Marks(nn.Module):
    """Filter k answers to the mark of class k alone, and class k listens to filter k alone."""

    def __init__(self, templates: Tensor) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, len(templates), 3, bias=False)
        self.conv.weight.data = templates[:, None] - 0.5
        self.fc = nn.Linear(len(templates), len(templates))
        self.fc.weight.data = torch.eye(len(templates))
        self.fc.bias.data = 0.01 * torch.arange(len(templates)).flip(0).float()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.relu(self.conv(x)).amax((2, 3)))


@pytest.fixture
def marks() -> tuple[nn.Module, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    templates = np.zeros((3, 3, 3))
    templates[0, 1], templates[1, :, 1], templates[2] = 1, 1, np.eye(3)
    images = np.zeros((60, 12, 12), np.uint8)
    labels = np.arange(60) % 3
    for image, label in zip(images, labels, strict=True):
        top, left = rng.integers(0, 9, 2)
        image[top : top + 3, left : left + 3] = 255 * templates[label]
    net = Marks(torch.from_numpy(templates).float()).eval()
    vars(net)["card"] = _card(1, 3)
    return net, (images, labels)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_without_the_filter_of_a_mark_exactly_its_class_is_lost(
    marks: tuple[nn.Module, tuple[np.ndarray, np.ndarray]], k: int
) -> None:
    net, data = marks
    found = convscope.intervene_on_data(net, data, set=f"conv[{k}]=0", card=_card(1, 3))
    for n, name in enumerate(found.classes):
        each = found.classes[name]
        assert (each.num_images, each.before, each.gained) == (20, 20, 0)
        assert each.lost == (20 if n == k else 0)
    assert found.accuracy.lost == 20
    low, high = found.accuracy.interval
    assert low < -1 / 3 < high < 0


def test_of_several_labels_each_is_compared_over_all_images() -> None:
    """The oracle: a label is right where its own logit has the right sign."""
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, (40, 3))
    targets[:3] = np.eye(3, dtype=np.int64)  # each label alone, and some images with none
    images = np.zeros((40, 12, 12), np.uint8)
    for n in range(3):
        images[:, 4 * n : 4 * n + 4] = 255 * targets[:, n, None, None]
    net = nn.Sequential(nn.AdaptiveAvgPool2d((3, 1)), nn.Flatten(), nn.Linear(3, 3)).eval()
    with torch.no_grad():
        net[2].weight.copy_(4 * torch.eye(3))
        net[2].bias.fill_(-2)
    card = replace(_card(1, 3), task="multi-label")
    found = convscope.intervene_on_data(net, (images, targets), set="2[1]=-9", card=card)
    given = int(targets[:, 1].sum())
    for name, each in found.classes.items():
        assert (each.num_images, each.before, each.gained) == (40, 40, 0)
        assert each.lost == (given if name == "c1" else 0)
    assert found.accuracy.lost == given
    low, high = found.classes["c1"].interval
    assert low < -given / 40 < high < 0


def test_over_data_the_answers_are_those_of_single_images(
    marks: tuple[nn.Module, tuple[np.ndarray, np.ndarray]],
) -> None:
    net, (images, labels) = marks
    found = convscope.intervene_on_data(net, (images, labels), set="conv[1]*=0.3", card=_card(1, 3))
    right = 0
    for image, label in zip(images, labels, strict=True):
        one = convscope.intervene(net, image, set="conv[1]*=0.3")
        right += int(one.probabilities()[1].argmax()) == label
    assert found.accuracy.after == right


def test_a_mean_over_data_is_the_mean_over_all_units(
    marks: tuple[nn.Module, tuple[np.ndarray, np.ndarray]],
) -> None:
    net, (images, labels) = marks
    with torch.no_grad():
        units = net.get_submodule("conv")(torch.from_numpy(images)[:, None] / 255)
    mean = float(units[:, 2].double().mean())
    by_mean = convscope.intervene_on_data(
        net, (images, labels), set="conv[2]=mean", card=_card(1, 3)
    )
    by_value = convscope.intervene_on_data(
        net, (images, labels), set=f"conv[2]={mean}", card=_card(1, 3)
    )
    assert by_mean.accuracy == by_value.accuracy
    assert by_mean.accuracy.lost > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv1", "is no change"),
        ("conv1[0]=x", "is no change"),
        ("conv1[0]=nan", "is no change"),
        ("conv1[-1]=0", "the index '-1'"),
        ("conv1[5]=0", "5 is out of range; conv1 has the shape 5x12x12"),
        ("conv1[0,0,0,0]=0", "fewer axes"),
        ("conv9[0]=0", "no operation or parameter 'conv9'"),
        ("conv1.weight[0]=@a.png", "the same for every image"),
    ],
)
def test_what_is_no_change_is_refused(net: Skip, text: str, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        convscope.intervene(net, IMAGE, set=text)
    assert message in str(caught.value)


def test_a_change_reads_back_as_it_was_written() -> None:
    for text in ("conv1[3]=0", "a.b[1,:,2]*=2.5", "fc+=-1", "conv1[3]=mean", "x[0]=@a=b.png"):
        assert str(parse_edit(text)) == text


def test_the_command_shows_answers_operations_and_terms(
    digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "image.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)).save(image)
    with pytest.raises(SystemExit) as done:
        main(["intervene", str(digits_run), str(image), "--set", "conv2[3]=0", "--json"])
    assert done.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert told["operations"][0]["name"] == "conv2"
    change = told["unit"]["after"] - told["unit"]["before"]
    assert told["unit"]["sum_of_changes"] == pytest.approx(change, abs=1e-5)
    with pytest.raises(SystemExit) as done:
        main(["intervene", str(digits_run), "--set", "conv1[0]=0", "--set", "conv1[1]=0"])
    assert done.value.code == 0
    assert "95% interval" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Name a change with --set"),
        (["--set", "conv1[0]=0", "--at", "conv2"], "--at belongs to an image"),
        (["x.png", "--set", "conv1[0]=0", "--split", "val"], "--split belongs to data"),
    ],
)
def test_a_wrong_request_is_refused(
    digits_run: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(["intervene", str(digits_run), *words])
    assert done.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())

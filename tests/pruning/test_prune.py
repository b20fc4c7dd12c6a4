"""Pruning: planted twins and dead filters go, the function stays, and a run comes out of it."""

import copy
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import convscope
from convscope.card import Card
from convscope.cli import main
from convscope.data.loading import load_images
from convscope.data.source import open_source
from convscope.errors import RequestError
from convscope.inference import inference_mode
from convscope.pruning.choice import least_important, redundant_groups
from convscope.pruning.compensation import compensate, solve
from convscope.pruning.measure import measure
from convscope.pruning.rounds import Images, Wish, prune_network
from convscope.pruning.structure import Structure
from convscope.pruning.surgery import without_groups

CARD = Card(
    classes=("a", "b", "c"), input_size=(12, 12), in_channels=3, resize_mode="pad",
    mean=(0.4, 0.5, 0.6), std=(0.3, 0.2, 0.25),
)  # fmt: skip


class Net(nn.Module):
    """A stem, a block with a skip, a concatenation, and a dense layer behind maps."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.inner = nn.Conv2d(8, 6, 3, padding=1, bias=False)
        self.outer = nn.Conv2d(6, 8, 3, padding=1)
        self.side = nn.Conv2d(8, 4, 1)
        self.fc = nn.Linear(12 * 9, 3)
        nn.init.uniform_(self.bn.weight, 0.5, 1.5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.stem(x)))
        x = F.relu(x + self.outer(F.relu(self.inner(x))))
        x = torch.cat([x, F.relu(self.side(x))], 1)
        return self.fc(F.max_pool2d(x, 4).flatten(1))


def _planted() -> Net:
    """`inner` 4 is `inner` 1; 2 is dead; `side` 3 is half of `side` 0, as ReLU keeps scales."""
    net = Net()
    with torch.no_grad():
        net.inner.weight[4] = net.inner.weight[1]
        net.inner.weight[2] = -abs(net.inner.weight[2])
        net.side.get_parameter("bias")[1:3] = 0.5  # or they are dead by chance
        net.side.weight[3] = net.side.weight[0] / 2
        net.side.get_parameter("bias")[3] = net.side.get_parameter("bias")[0] / 2
    return net.eval()


@pytest.fixture(scope="module")
def images() -> Images:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (96, 12, 12, 3), dtype=np.uint8)
    dataset = open_source((pixels, np.arange(96) % 3), class_names=CARD.classes)
    loaded = load_images(dataset.subset(np.arange(96), "test"), CARD)
    return Images(loaded, np.arange(96))


def _logits(net: nn.Module, images: Images) -> Tensor:
    pixels = next(iter(images.loaded.batch_source.batches([images.indices]))).float() / 255
    fed = (pixels - torch.tensor(CARD.mean)) / torch.tensor(CARD.std)
    with inference_mode(net):
        return net(fed.permute(0, 3, 1, 2))


def test_exactly_the_planted_filters_go_and_the_function_stays(images: Images) -> None:
    net = _planted()
    done = prune_network(net, CARD, images, Wish(None, 0.9999))
    assert (done.redundant, done.others) == (3, 0)
    assert done.net.get_parameter("inner.weight").shape[0] == 4
    assert done.net.get_parameter("side.weight").shape[0] == 3
    assert done.net.get_parameter("outer.weight").shape[0] == 8
    before, after = _logits(net, images), _logits(done.net, images)
    assert torch.allclose(before, after, atol=1e-5)
    structure = Structure.of(net, (3, 12, 12))
    measured = measure(net, structure, CARD, images.loaded, images.indices)
    found = redundant_groups(structure, measured, similarity=0.9999)
    names = {str(structure.layers_of(group)) for group in found}
    assert "{'inner': [2]}" in names
    assert len(names & {"{'inner': [1]}", "{'inner': [4]}"}) == 1
    assert len(names & {"{'side': [0]}", "{'side': [3]}"}) == 1
    bare, _ = without_groups(net, structure, found)  # without compensation it does not
    assert not torch.allclose(before, _logits(bare, images), atol=1e-2)


def test_the_maps_that_layers_read_are_those_of_a_loop(images: Images) -> None:
    net = _planted()
    structure = Structure.of(net, (3, 12, 12))
    measured = measure(net, structure, CARD, images.loaded, images.indices)
    read: dict[str, Tensor] = {}
    handles = [
        layer.register_forward_pre_hook(lambda _, x, name=name: read.update({name: x[0]}))
        for name, layer in net.named_children()
    ]
    _logits(net, images)
    for handle in handles:
        handle.remove()
    for name in ("inner", "outer", "side"):
        expected = torch.einsum("nchw,ndhw->cd", read[name].double(), read[name].double())
        assert torch.from_numpy(measured.readers[name].products) == pytest.approx(
            expected, rel=1e-5, abs=1e-3
        )
    units = read["fc"].double().reshape(96, 12, 9)
    expected = torch.einsum("ncu,ndu->cd", units, units)
    assert torch.from_numpy(measured.readers["fc"].products) == pytest.approx(expected, rel=1e-5)


def test_importance_is_the_squared_first_order_change_of_the_loss(images: Images) -> None:
    """Compared with the slope of the loss where all that reads a map is scaled down."""
    net = _planted().double()
    structure = Structure.of(net, (3, 12, 12))
    some = images.indices[:32]
    measured = measure(net, structure, CARD, images.loaded, some)
    targets = torch.from_numpy(images.loaded.dataset.truth(some))
    small = Images(images.loaded, some)

    def loss(net: nn.Module) -> float:
        pixels = next(iter(small.loaded.batch_source.batches([some]))).double() / 255
        fed = (pixels - torch.tensor(CARD.mean)) / torch.tensor(CARD.std)
        with inference_mode(net):
            return float(F.cross_entropy(net(fed.permute(0, 3, 1, 2)), targets))

    for layer, index, reader in (("inner", 3, "outer"), ("side", 1, "fc")):
        group = structure.group_of(layer, index)
        slopes = []
        for sign in (1, -1):
            other = copy.deepcopy(net)
            columns = (
                [index] if reader == "outer" else list(range(9 * (8 + index), 9 * (9 + index)))
            )
            with torch.no_grad():
                other.get_parameter(f"{reader}.weight")[:, columns] *= 1 + sign * 1e-4
            slopes.append(loss(other))
        slope = (slopes[0] - slopes[1]) / 2e-4
        assert measured.importance[group] == pytest.approx(slope**2, rel=1e-2)


def test_least_squares_are_numpy_s() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 5))
    y = x @ rng.standard_normal((5, 2)) + 0.1 * rng.standard_normal((500, 2))
    every = np.hstack([x, y])
    factors = solve(every.T @ every, np.arange(5), np.array([5, 6]))
    assert factors == pytest.approx(np.linalg.lstsq(x, y, rcond=None)[0].T, rel=1e-4)


def test_compensation_is_better_than_none(images: Images) -> None:
    net = _planted()
    structure = Structure.of(net, (3, 12, 12))
    measured = measure(net, structure, CARD, images.loaded, images.indices)
    budget = round(0.7 * structure.multiply_adds())
    chosen = least_important(structure, measured, multiply_adds=budget)
    assert structure.multiply_adds(chosen) <= budget
    removed = [structure.group_of("stem", 2), structure.group_of("inner", 5)]
    bare, _ = without_groups(net, structure, removed)
    helped = copy.deepcopy(net)
    compensate(helped, measured, removed)
    helped, _ = without_groups(helped, structure, removed)
    wanted = _logits(net, images)
    errors = [float((_logits(each, images) - wanted).square().mean()) for each in (helped, bare)]
    assert errors[0] < 0.7 * errors[1]


@pytest.fixture(scope="module")
def pruned(digits_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pruned") / "run"
    result = convscope.prune(
        digits_run, out=out, multiply_adds=0.6, epochs=3, progress=False, threads=1
    )
    before, after = result.sizes
    assert after.multiply_adds <= 0.605 * before.multiply_adds
    assert result.accuracy.num_images == 359
    assert result.accuracy.after >= result.accuracy.before - 18
    assert list(result.times)[:2] == ["torch", "onnxruntime"]
    assert all(list(times) == [1, 32] for times in result.times.values())
    return out


def test_a_pruned_run_is_an_ordinary_run(pruned: Path, digits_run: Path) -> None:
    net, card = convscope.load(pruned)
    assert card.classes == convscope.load(digits_run)[1].classes
    told = json.loads((pruned / "pruning.json").read_text())
    assert convscope.summary(pruned).multiply_adds == told["multiply_adds"][1]
    assert told["filters"]["conv1"][1] == net.get_parameter("conv1.weight").shape[0]
    result = convscope.evaluate(pruned)
    assert round(result.metrics.top1 * 359) == told["accuracy"]["after"]
    explanation = convscope.explain(pruned, torch.zeros(1, 32, 32), at="conv2[0,1,1]")
    assert len(explanation.terms) == net.get_parameter("conv2.weight")[0].numel()
    text = (pruned / "network.toml").read_text()
    (pruned / "network.toml").write_text(text.replace("[pruned", "\n[pruned"))
    with pytest.raises(RequestError, match=r"network\.toml"):
        convscope.load(pruned)
    (pruned / "network.toml").write_text(text)


def test_a_pruned_run_can_be_pruned_again(pruned: Path, tmp_path: Path) -> None:
    again = convscope.prune(
        pruned, out=tmp_path / "again", multiply_adds=0.8, epochs=1, progress=False, threads=1
    )
    net, _ = convscope.load(tmp_path / "again")
    first = again.filters["conv3"]
    assert first[0] == convscope.load(pruned)[0].get_parameter("conv3.weight").shape[0]
    assert first[1] == net.get_parameter("conv3.weight").shape[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--multiply-adds", "1.5"], "above 0 and below 1"),
        (["--max-drop", "-1"], "in points, 0 to 100"),
        (["--similarity", "2"], "--similarity must be from 0.5 to 1"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--max-images", "0"], "--max-images must be at least 1"),
        (["--similarity", "1"], "no filter is dead or the twin"),
    ],
)
def test_a_wrong_request_is_refused_and_leaves_no_folder(
    digits_run: Path, tmp_path: Path, words: list[str], message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(SystemExit) as done:
        main(["prune", str(digits_run), "-o", str(tmp_path / "out"), *words])
    assert done.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


class Own(nn.Module):
    """Two of the filters are twins, and stay so: of two epochs nothing else is expected."""

    def __init__(self, out: int = 10) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 6, 3)
        self.fc = nn.Linear(6, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.relu(self.conv(x)).mean((2, 3)))


def _small(net: nn.Module, folder: Path) -> Path:
    return convscope.train(
        "digits", model=net, epochs=1, out=folder, progress=False, input_size=12, threads=1,
    ).run  # fmt: skip


def _pruned_own(run: Path, out: Path, **words: object) -> nn.Module:
    done = convscope.prune(
        run, out=out, multiply_adds=0.7, epochs=1, progress=False, threads=1, **words
    )
    assert done.filters["conv"][1] < 6
    return convscope.load(out, **words)[0]


def test_a_network_of_own_code_is_pruned_and_built_by_its_code(tmp_path: Path) -> None:
    run = _small(Own(), tmp_path / "own")
    net = _pruned_own(run, tmp_path / "pruned")
    count = net.get_parameter("conv.weight").shape[0]
    assert tomllib.loads((tmp_path / "pruned" / "network.toml").read_text()) == {
        "pruned": {"conv": {"out_channels": count}, "fc": {"in_features": count}}
    }
    assert convscope.summary(tmp_path / "pruned").parameters == count * 20 + 10
    own, _ = convscope.load(tmp_path / "pruned", model=Own())  # of the architecture it had
    x = torch.rand(2, 1, 12, 12)
    assert torch.equal(own(x), net(x))
    again = convscope.prune(
        tmp_path / "pruned", out=tmp_path / "again", multiply_adds=0.7, epochs=1, progress=False,
        threads=1,
    )  # fmt: skip
    assert again.filters["conv"][0] == count > again.filters["conv"][1]
    assert convscope.evaluate(tmp_path / "again").metrics.num_images
    resumed = convscope.resume(tmp_path / "pruned", epochs=2, progress=False)
    assert convscope.load(resumed.run)[0].get_parameter("conv.weight").shape[0] == count


def test_a_network_that_no_name_builds_is_pruned_as_an_object(tmp_path: Path) -> None:
    class Local(Own):
        pass

    net = Local()
    run = _small(net, tmp_path / "own")
    found = _pruned_own(run, tmp_path / "pruned", model=Local())
    count = found.get_parameter("conv.weight").shape[0]
    wider = f"[pruned]\nconv = {{out_channels = {count + 20}}}\n"
    (tmp_path / "pruned" / "network.toml").write_text(wider)
    with pytest.raises(RequestError, match="out_channels"):
        convscope.load(tmp_path / "pruned", model=Local())


def test_nothing_is_pruned_where_the_accuracy_would_drop(digits_run: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="a larger `max_drop`"):
        convscope.prune(
            digits_run, out=tmp_path / "out", multiply_adds=0.05, max_drop=0, similarity=0.6,
            progress=False,
        )  # fmt: skip

"""Weights that are no weights are refused at every load, by the name of the tensor."""

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import convscope
from convscope.errors import ConvscopeError, RequestError
from convscope.runs.tensor_file import load_tensors, save_tensors
from convscope.webapp.inspect.open_run import RunOpener
from convscope.webapp.inspect.store import ModelStore

IMAGE = np.zeros((8, 8), np.uint8)
NAME, LOST = "fc2.bias", "conv1.bias"
LARGE = torch.full((10,), 1e300, dtype=torch.float64)


def lenet():
    return convscope.create_model("lenet5", num_classes=10, in_channels=1)


def without(tensors, name):
    return {key: tensor for key, tensor in tensors.items() if key != name}


def replaced(tensors, name, tensor):
    return {**tensors, name: tensor}


BAD = {
    "NaN": lambda t, n: replaced(t, n, torch.full((10,), torch.nan)),
    "infinite": lambda t, n: replaced(t, n, torch.full((10,), torch.inf)),
    "too large for float32": lambda t, n: replaced(t, n, LARGE),
    "integers": lambda t, n: replaced(t, n, torch.ones(10, dtype=torch.int32)),
    "truth values": lambda t, n: replaced(t, n, torch.ones(10, dtype=torch.bool)),
    "complex": lambda t, n: replaced(t, n, torch.ones(10, dtype=torch.complex64)),
    "8-bit": lambda t, n: replaced(t, n, torch.ones(10).to(torch.float8_e4m3fn)),
    "shape": lambda t, n: replaced(t, n, torch.ones(10, 1)),
    "missing": lambda t, n: without(t, n.replace(NAME, LOST)),
    "extra": lambda t, n: replaced(t, f"{n}2", torch.ones(1)),
}
"""What is done to the tensors of a file."""

LOADS = {
    "load": convscope.load,
    "load into": lambda run: convscope.load(run, model=lenet()),
    "predict": lambda run: convscope.predict(run, IMAGE),
    "evaluate": convscope.evaluate,
    "explain": lambda run: convscope.explain(run, IMAGE),
    "load_weights": lambda run: convscope.load_weights(lenet(), run),
    "weights of a run": lambda run: convscope.predict("lenet5", IMAGE, weights=run),
    "train": lambda run: convscope.train("digits", weights=run, out=run.parent / "other"),
    "lab": lambda run: ModelStore().open(run),
    "lab, run": lambda run: RunOpener(ModelStore()).open(run),
    "a file of convscope": lambda run: convscope.predict(
        "lenet5",
        IMAGE,
        weights=shutil.copy(run / "model.safetensors", run.parent / "x.safetensors"),
    ),
    "safetensors": lambda run: convscope.load_weights(lenet(), saved(run, "x.safetensors")),
    "torch.save": lambda run: convscope.load_weights(lenet(), saved(run, "x.pth")),
    "a state dict": lambda run: convscope.load_weights(
        lenet(), load_tensors(run / "model.safetensors").tensors
    ),
}


def saved(run: Path, name: str) -> Path:
    """The weights of a run in a file of another library."""
    tensors = load_tensors(run / "model.safetensors").tensors
    (save_file if name.endswith("safetensors") else torch.save)(dict(tensors), run.parent / name)
    return run.parent / name


@pytest.fixture
def run(digits_run, tmp_path):
    return Path(shutil.copytree(digits_run, tmp_path / "run"))


def spoil(path: Path, kind: str, name: str = NAME) -> None:
    stored = load_tensors(path)
    save_tensors(path, BAD[kind](stored.tensors, name), stored.metadata)


@pytest.mark.parametrize("load", LOADS)
def test_each_load_refuses_each_kind_by_name(run, load):
    whole = (run / "model.safetensors").read_bytes()
    for kind in BAD:
        spoil(run / "model.safetensors", kind)
        with pytest.raises(ConvscopeError) as caught:
            LOADS[load](run)
        assert (LOST if kind == "missing" else NAME) in str(caught.value), kind
        (run / "model.safetensors").write_bytes(whole)
    assert not (run.parent / "other").exists()


@pytest.mark.parametrize("kind", BAD)
def test_a_state_is_refused_by_name_and_file(run, kind):
    newest = max((run / "last").iterdir())
    spoil(newest, kind, f"model/{NAME}")
    name = LOST if kind == "missing" else NAME
    with pytest.raises(ConvscopeError, match=rf"{newest.name}.*{name}"):
        convscope.resume(run, epochs=7)


@pytest.mark.parametrize("kind", ["integers", "8-bit", "shape", "missing", "extra"])
def test_a_state_of_another_optimizer_is_refused_by_name(run, kind):
    newest = max((run / "last").iterdir())
    names = load_tensors(newest).tensors
    name = next(
        name for name in names if name.startswith("optimizer/") and names[name].shape == (10,)
    )
    spoil(newest, kind, name)
    with pytest.raises(ConvscopeError, match=rf"{newest.name} is of another optimizer: {name}"):
        convscope.resume(run, epochs=7)


@pytest.mark.parametrize("kind", ["integers", "shape", "missing"])
def test_a_random_state_that_is_none_is_told(run, kind):
    newest = max((run / "last").iterdir())
    spoil(newest, kind, "random/cpu")
    with pytest.raises(ConvscopeError, match=rf"{newest.name} has no random state"):
        convscope.resume(run, epochs=7)


@pytest.mark.parametrize("kind", ["NaN", "integers", "extra"])
def test_the_command_line_says_it_too(run, command, kind):
    spoil(run / "model.safetensors", kind)
    for words in (
        (run,),
        ("lenet5", "--weights", run),
        ("lenet5", "--weights", saved(run, "x.pth")),
    ):
        done = command("predict", *words, run / "report.html", code=2)
        assert NAME in done.stderr


def test_a_url_is_checked_alike(run, library):
    spoil(run / "model.safetensors", "NaN")
    library.files["w.safetensors"] = (run / "model.safetensors").read_bytes()
    library.files["w.pth"] = saved(run, "x.pth").read_bytes()
    for name in library.files:
        with pytest.raises(RequestError, match=rf"{NAME} has 10 of 10"):
            convscope.predict("lenet5", IMAGE, weights=library.url(name))


def test_a_module_is_checked_alike():
    net = lenet()
    nn.init.constant_(net.fc2.bias, torch.nan)
    with pytest.raises(RequestError, match=rf"{NAME} has 10 of 10"):
        convscope.load_weights(lenet(), net)


class Norm(nn.Module):
    """A mask with infinities, as attention has it, and statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.norm = nn.BatchNorm2d(3)
        self.head = nn.Linear(3, 3)
        self.register_buffer("mask", torch.full((3, 3), -torch.inf).triu(1))
        self.register_buffer("counts", torch.zeros(3))

    def forward(self, x):
        return self.head(self.norm(self.conv(x)).mean((2, 3))) + self.mask.exp().sum()


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("norm.running_var", [1.0, -1e-3, 1.0], "norm.running_var has 1 of 3 values below zero"),
        ("norm.running_var", [1.0, torch.nan, 1.0], "norm.running_var has 1 of 3 .*NaN"),
        ("norm.running_mean", [1.0, torch.inf, 1.0], "norm.running_mean has 1 of 3 .*infinite"),
        ("counts", [1.0, torch.inf, 1.0], "counts has 1 of 3 .*infinite"),
        ("norm.num_batches_tracked", 1.5, "num_batches_tracked holds floating point numbers"),
        ("norm.num_batches_tracked", torch.nan, "num_batches_tracked holds floating point numbers"),
        ("norm.num_batches_tracked", True, "num_batches_tracked holds truth values"),
    ],
)
def test_statistics_are_checked(name, values, told):
    with pytest.raises(RequestError, match=told):
        convscope.load_weights(Norm(), replaced(Norm().state_dict(), name, torch.tensor(values)))


@pytest.mark.parametrize("count", [7, 7.0])
def test_counters_halves_and_masks_are_legitimate(count):
    state = replaced(Norm().state_dict(), "norm.num_batches_tracked", torch.tensor(count))
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        half = {n: t.to(dtype) if t.is_floating_point() else t for n, t in state.items()}
        net = Norm()
        convscope.load_weights(net, half)
        assert torch.equal(net.conv.weight, half["conv.weight"].float())
        assert int(net.norm.num_batches_tracked) == 7
        assert torch.equal(net.mask, Norm().mask)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(10),
        torch.zeros(12).as_strided((10,), (0,)),
        torch.zeros(1)[[0]].expand(10),
    ],
)
def test_values_that_share_memory_are_refused(tensor, tmp_path):
    state = replaced(lenet().state_dict(), NAME, tensor)
    torch.save(state, tmp_path / "x.pth")
    for source in (state, tmp_path / "x.pth"):
        with pytest.raises(RequestError, match=rf"{NAME} has 10 values that share memory"):
            convscope.load_weights(lenet(), source)
    rows = torch.zeros(130).as_strided((10, 84), (5, 1))
    with pytest.raises(RequestError, match=r"fc2.weight has 840 values that share memory"):
        convscope.load_weights(lenet(), replaced(lenet().state_dict(), "fc2.weight", rows))


def test_views_that_share_nothing_are_taken():
    wide = torch.arange(20.0)
    for view in (wide[::2], wide.reshape(2, 10).T[:, 0], wide[10:]):
        net = lenet()
        convscope.load_weights(net, replaced(net.state_dict(), NAME, view))
        assert torch.equal(net.fc2.bias, view)


def test_a_sparse_head_of_other_classes_is_not_expanded():
    place, side = torch.zeros(2, 1, dtype=torch.long), 10**9
    huge = torch.sparse_coo_tensor(place, torch.ones(1), (side, 84), check_invariants=True)
    state = replaced(without(lenet().state_dict(), NAME), "fc2.weight", huge)
    with pytest.raises(RequestError, match=r"fc2\.weight is sparse, of the shape \(1000000"):
        convscope.load_weights(lenet(), state)


def test_a_name_that_stands_twice_in_a_header_is_refused(tmp_path):
    entry = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    header = f'{{"bias":{entry},"bias":{entry}}}'.encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(RequestError, match="the key 'bias' comes twice"):
        convscope.load_weights(nn.Linear(1, 1), tmp_path / "x.safetensors")


def test_a_name_that_stands_twice_in_an_index_is_refused(tmp_path):
    (tmp_path / "index.json").write_text('{"weight_map": {"bias": "a", "bias": "b"}}')
    with pytest.raises(RequestError, match="the key 'bias' comes twice"):
        convscope.load_weights(nn.Linear(1, 1), tmp_path / "index.json")


def test_a_file_of_a_run_brings_its_card_wherever_it_lies(run, tmp_path):
    path = Path(shutil.copy(run / "model.safetensors", tmp_path / "best.safetensors"))
    own = convscope.load(run)[1]
    card = convscope.load_weights(lenet(), path)
    assert (card.mean, card.classes, card.input_size) == (own.mean, own.classes, own.input_size)
    found = convscope.predict("lenet5", IMAGE, weights=path)
    assert found[0].top_k == convscope.predict(run, IMAGE)[0].top_k
    changed = json.loads(own.to_json()) | {"mean": [0.9]}
    (tmp_path / "card.json").write_text(json.dumps(changed))
    with pytest.raises(RequestError, match=r"card\.json is not the card that .*mean is \[0\.9\]"):
        convscope.predict("lenet5", IMAGE, weights=path)
    (tmp_path / "card.json").unlink()
    path.write_bytes(path.read_bytes()[:-4] + b"abcd")
    with pytest.raises(ConvscopeError, match="is damaged"):
        convscope.predict("lenet5", IMAGE, weights=path)

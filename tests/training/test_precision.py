"""Steps in bf16: near those of float64, with weights, loss and evaluations in float32."""

import os
import re
import signal
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import convscope
from convscope import mixed_precision
from convscope.card import Card
from convscope.errors import Interrupted, RequestError, WorkError
from convscope.mixed_precision import autocast, check_precision
from convscope.runs.folder import Run
from convscope.runs.tensor_file import load_tensors
from convscope.training import memory_check, run_config
from convscope.training.assemble import Task
from convscope.training.batches import Batch
from convscope.training.config import TrainConfig
from convscope.training.executors.base import Inputs
from convscope.training.executors.eager import EagerExecutor
from convscope.training.loss import BatchLoss
from convscope.training.optimizer import Optimizer
from convscope.training.state import TrainState
from tests.training.small import Act, Net, assert_same_bits, state_of, train

TOLERANCE = 2**-4  # of a gradient's norm: sums cancel, and bf16 rounds each number by up to 2**-9
CARD = Card(
    classes=("a", "b", "c"),
    input_size=(12, 12),
    in_channels=3,
    resize_mode="crop",
    mean=(0.5,) * 3,
    std=(0.25,) * 3,
)


class Plain(nn.Sequential):
    """A convolution, batch norm, and a layer of its own arithmetic, without randomness."""

    def __init__(self, num_classes: int = 3) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride=2, groups=2),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(8 * 16, num_classes),
        )


def batch(size=16):
    random = np.random.default_rng(0)
    pixels = torch.from_numpy(random.integers(0, 256, (size, 12, 12, 3), dtype=np.uint8))
    return Batch(np.arange(size), random.integers(0, 3, size), 0, lambda: pixels)


def executor(net, precision, *, criterion=None, **more):
    inputs = Inputs(None, CARD, torch.device("cpu"))  # evaluations alone need images
    config = TrainConfig(momentum=0.0, weight_decay=0.0)
    criterion = criterion or BatchLoss(CARD)
    optimizer = Optimizer(net, config)
    return EagerExecutor(net, optimizer, inputs, criterion, precision=precision, **more)


def plain():
    torch.manual_seed(0)
    return Plain()


def gradients(net, criterion, precision):
    """The loss of a step and the gradients, which stay in place."""
    loss, _ = executor(net, precision, criterion=criterion).step(TrainState(), batch(), 1e-3)
    return loss, {name: weight.grad for name, weight in net.named_parameters()}


@pytest.mark.parametrize(
    "criterion",
    [BatchLoss(CARD), BatchLoss(CARD, torch.tensor([1.0, 2.0, 0.5]), label_smoothing=0.1)],
    ids=["plain", "weighted"],
)
@pytest.mark.parametrize(("precision", "bits"), [("bf16", 8), ("fp16", 11)])
def test_gradients_are_those_of_float64_up_to_rounding(criterion, precision, bits):
    loss, found = gradients(plain(), criterion, precision)
    net = plain().double()
    pixels = (batch().pixels.permute(0, 3, 1, 2).double() / 255 - 0.5) / 0.25
    weights = None if criterion.weights is None else criterion.weights.double()
    targets = torch.from_numpy(batch().labels)
    exact = F.cross_entropy(
        net(pixels), targets, weights, label_smoothing=criterion.label_smoothing
    )
    exact.backward()
    assert loss == pytest.approx(exact.item(), rel=2 ** (1 - bits))
    for name, weight in net.named_parameters():
        assert found[name].dtype == torch.float32
        if name == "0.bias":  # whose gradient is zero, for batch norm subtracts it
            continue
        error = (found[name] - weight.grad).norm() / weight.grad.norm()
        assert error < TOLERANCE * 2 ** (8 - bits), name
        assert error > 2 ** (-6 - bits), f"{name} was not computed in {precision}"


def test_losses_that_differ_by_less_than_bf16_can_tell_are_told_apart():
    output = torch.tensor([[8.0, 0.0, 0.0]], dtype=torch.bfloat16)
    loss, logits = BatchLoss(CARD)(output, torch.tensor([0]))
    assert (loss.dtype, logits.dtype) == (torch.float32, torch.float32)
    assert loss.item() == pytest.approx(np.log1p(2 * np.exp(-8.0)), rel=1e-4)
    exact, _ = BatchLoss(CARD)(output.double(), torch.tensor([0]))
    assert exact.dtype == torch.float64


@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_a_context_of_the_caller_changes_no_step(precision):
    def steps(net):
        steps = executor(net, precision)
        return [steps.step(TrainState(), batch(), 0.1)[0] for _ in range(3)]

    alone, inside = plain(), plain()
    with torch.autocast("cpu", torch.bfloat16):
        assert steps(inside) == steps(alone)
    assert all(map(torch.equal, inside.parameters(), alone.parameters()))


class Watched(Net):
    """Notes in which mode it is called within autocast."""

    seen: ClassVar[set[tuple[bool, bool]]] = set()

    def forward(self, images):
        self.seen.add((self.training, torch.is_autocast_enabled("cpu")))
        return super().forward(images)


def test_kept_weights_and_evaluations_are_in_float32(tmp_path):
    how = dict(model=f"{__name__}:Watched", input_size=32, in_channels=1, steps=4)
    Watched.seen.clear()
    train(tmp_path / "run", precision="bf16", optimizer="adamw", **how)
    assert Watched.seen == {(True, False), (True, True), (False, False)}  # the first is a trial
    saved = [state_of(tmp_path / "run"), load_tensors(tmp_path / "run" / "model.safetensors")]
    for tensors in saved:
        kinds = {value.dtype for value in tensors.tensors.values() if value.is_floating_point()}
        assert kinds == {torch.float32}
    [line] = Run(tmp_path / "run").read_metrics()
    again = convscope.evaluate(tmp_path / "run", split="val", trust=True)
    assert again.loss == line["val_loss"]
    assert again.top1 == line["val_top1"]


def test_stopped_and_resumed_it_has_the_bits_of_an_unbroken_one(tmp_path):
    how = dict(
        precision="bf16",
        optimizer="adamw",
        freeze="1",
        label_smoothing=0.1,
        class_weights="balanced",
        clip_grad_norm=0.5,
        augment="crop-flip",
        epochs=2,
    )
    train(tmp_path / "uninterrupted", **how)
    stop = Act((7, lambda: os.kill(os.getpid(), signal.SIGINT)))
    with pytest.raises(Interrupted):
        train(tmp_path / "broken", callbacks=[stop], **how)
    convscope.resume(tmp_path / "broken", trust=True)
    assert_same_bits(tmp_path / "uninterrupted", tmp_path / "broken")


class NearTheEnd(nn.Module):
    """Returns the largest float32, which bf16 rounds to infinity."""

    def forward(self, x):
        return x.float() * 0 + torch.finfo(torch.float32).max


def test_what_is_infinite_in_bf16_alone_is_named():
    net = nn.Sequential(NearTheEnd(), nn.Flatten(), nn.Linear(3 * 144, 3, bias=False))
    nn.init.constant_(net[2].weight, 2**-20)
    state = TrainState(step=4)
    with pytest.raises(WorkError, match=r"The loss is .* at step 5 .*, first in 2\."):
        executor(net, "bf16").step(state, batch(), 0.1)
    assert np.isfinite(executor(net, "float32").step(state, batch(), 0.0)[0])


class Float32Only(nn.Module):
    """`torch.linalg` has no bf16."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.layer = nn.Linear(32, 32)
        self.head = nn.Linear(1, num_classes)

    def forward(self, images):
        return self.head(torch.linalg.det(self.layer(images[:, 0]))[:, None])


class Softmax(Float32Only):
    def forward(self, images):
        return self.head(images.mean((2, 3))[:, :1]).softmax(1)


class Double(Softmax):
    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(num_classes)
        self.double()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("Float32Only", r"failed in training mode, .*, in bf16.*In float32 it works: `precision="),
        ("Softmax", r"probabilities in bf16 are too coarse.*or choose `precision='float32'`"),
        ("Double", r"has parameters in float64.*Choose `precision='float32'`"),
    ],
)
def test_a_network_that_cannot_be_trained_in_bf16_is_refused_with_what_to_do(
    tmp_path, model, message
):
    with pytest.raises(RequestError, match=message):
        train(
            tmp_path / "run",
            model=f"{__name__}:{model}",
            input_size=32,
            in_channels=1,
            precision="bf16",
        )
    assert not (tmp_path / "run").exists()


def test_the_compiled_engine_has_no_bf16(tmp_path):
    with pytest.raises(RequestError, match=r"`engine='lanes'` computes in float32 only"):
        TrainConfig(engine="lanes", precision="bf16")
    act = Act()
    convscope.train(
        "digits", out=tmp_path / "run", steps=1, precision="bf16", callbacks=[act], progress=False
    )
    assert state_of(tmp_path / "run").metadata["state"]["engine"] == "torch"
    assert not [note for note in act.notes if "engine" in note]


def test_a_device_without_bf16_is_refused_and_a_processor_without_instructions_told(monkeypatch):
    with pytest.raises(RequestError, match=r"no bf16 for the device meta"):
        check_precision(torch.device("meta"), "bf16")
    monkeypatch.setattr(mixed_precision, "instructions", lambda precision: "")
    assert "slower than in float32" in check_precision(torch.device("cpu"), "bf16")
    monkeypatch.setattr(mixed_precision, "instructions", lambda precision: "AMX")
    assert not check_precision(torch.device("cpu"), "bf16")


def test_instructions_are_those_that_the_system_tells():
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        pytest.skip("only Linux tells")
    flags = re.findall(r"^(?:flags|Features)\s*:(.*)", told, re.MULTILINE)
    named = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16", "bf16": "BF16"}
    expected = [name for flag, name in named.items() if flag in flags[0].split()]
    assert mixed_precision.instructions("bf16") == [*expected, ""][0]


def test_a_resume_by_other_instructions_is_told(monkeypatch):
    cpu = torch.device("cpu")
    before = [run_config.environment(cpu, precision=one) for one in ("float32", "bf16")]
    monkeypatch.setattr(run_config, "instructions", lambda precision: "others")
    now = [run_config.environment(cpu, precision=one) for one in ("float32", "bf16")]
    assert run_config.environment_changes(before[0], now[0]) == []
    [change] = run_config.environment_changes(before[1], now[1])
    assert re.fullmatch(r"bf16 was .+ and is others", change)


def test_memory_is_estimated_with_the_copies_of_weights_in_bf16():
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(3 * 144, 64), nn.Linear(64, 4096), nn.Linear(4096, 3)
    )
    copies = net[2].weight.nbytes // 2
    kept = {}
    for precision in ("float32", "bf16"):
        steps = executor(net, precision)
        task = Task(net, None, CARD, TrainConfig(), steps.inputs)
        kept[precision], _ = memory_check._kept(task, steps)
    assert kept["bf16"] - kept["float32"] >= copies


def test_weights_are_converted_anew_in_every_context():
    layer = nn.Linear(4, 4, bias=False)
    inputs = torch.eye(4)
    outputs = []
    with torch.autocast("cpu", torch.bfloat16):
        for _ in range(2):
            with autocast(torch.device("cpu"), "bf16"):
                outputs.append(layer(inputs).detach().float())
            with torch.no_grad():
                layer.weight += 1
    assert torch.allclose(outputs[1], outputs[0] + 1, atol=2**-7)


class Certain(Net):
    """Without dropout, whose numbers a compiled network draws in another way."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(num_classes)
        self[3] = nn.Identity()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch's own imports
def test_a_compiled_network_trains_in_bf16(tmp_path):
    how = dict(model=f"{__name__}:Certain", input_size=32, in_channels=1, steps=4)
    train(tmp_path / "eager", precision="bf16", **how)
    train(tmp_path / "compiled", precision="bf16", compile=True, **how)
    eager, compiled = (
        load_tensors(tmp_path / name / "model.safetensors").tensors
        for name in ("eager", "compiled")
    )
    for name, weight in eager.items():
        if weight.is_floating_point():
            assert (weight - compiled[name]).norm() <= 0.1 * weight.norm(), name

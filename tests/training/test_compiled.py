"""A training whose steps the compiled engine makes is a training like any other."""

import math
import os
import shutil
import signal
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import convscope
from convscope.errors import Interrupted, RequestError
from convscope.evaluation import batch_size
from convscope.runs.folder import Run
from convscope.runs.live_files import Live
from convscope.runs.tensor_file import load_tensors
from convscope.training.config import TrainConfig
from convscope.training.executors import factory, select
from convscope.training.executors.eager import torch_logits
from tests.forked import FORKS
from tests.repetition import first_fast
from tests.simd import WIDEST, WIDTHS
from tests.training.small import Act, assert_same_bits, state_of

pytest.importorskip("llvmlite")
from convscope.training.executors import compiled
from convscope.training.executors.compiled import CompiledExecutor
from convscope.training.executors.trial import Times


class Narrow(nn.Sequential):
    """Dropout draws anew in every step."""

    def __init__(self, num_classes: int = 10, *, dropout: float = 0.3) -> None:
        super().__init__(
            nn.Conv2d(1, 4, 5, stride=2),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(4 * 14 * 14, num_classes),
        )


class Grouped(nn.Sequential):
    """Has a layer that the engine does not cover."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(
            nn.Conv2d(1, 4, 5, stride=2), nn.GroupNorm(2, 4), nn.Flatten(),
            nn.Linear(4 * 14 * 14, num_classes),
        )  # fmt: skip


class Normed(nn.Sequential):
    """Batch norm has statistics that no optimizer moves."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(
            nn.Conv2d(1, 4, 5, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
            nn.Linear(4 * 14 * 14, num_classes),
        )  # fmt: skip


def sure(num_classes: int = 10) -> nn.Module:
    return Narrow(num_classes, dropout=0.0)


def train(out, *, net="Narrow", **more):
    settings = dict(
        epochs=2,
        batch_size=128,
        checkpoint_seconds=0.0,
        engine="lanes",
        input_size=32,
        in_channels=1,
        **WIDEST,
    )
    settings |= more
    return convscope.train("digits", out=out, model=f"{__name__}:{net}", **settings)


def weights_of(run):
    return load_tensors(run / "model.safetensors").tensors


@pytest.mark.parametrize(
    "how",
    [
        dict(augment="crop-flip", crop_padding=3, batch_size=37, nesterov=True),
        dict(augment="none", optimizer="adamw", weight_decay=0.01),
        dict(augment="resized-crop-flip", clip_grad_norm=0.5, class_weights="balanced"),
        dict(net="Normed", batch_size=37, backbone_lr_scale=0.1, momentum=0.0, label_smoothing=0.1),
    ],
    ids=str,
)
def test_weights_are_those_of_torch_up_to_rounding(tmp_path, how):
    for engine in ("torch", "lanes"):
        train(tmp_path / engine, **{"net": "sure", "lr": 0.01, **how}, engine=engine, epochs=1)
    begin = (Normed() if how.get("net") else Narrow()).state_dict()
    ours, theirs = weights_of(tmp_path / "lanes"), weights_of(tmp_path / "torch")
    assert ours.keys() == begin.keys()
    for name, weight in theirs.items():
        torch.testing.assert_close(ours[name], weight, rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize(
    "how",
    first_fast(
        2,
        [
            dict(augment="crop-flip", cache_fraction=1e-9),
            dict(augment="resized-crop", net="Normed"),
            dict(augment="crop-flip", crop_padding=3),
            dict(augment="none"),
        ],
    ),
    ids=str,
)
def test_the_engine_answers_in_evaluations_as_torch_does(tmp_path, monkeypatch, how):
    logits, sizes = CompiledExecutor.logits, []

    def both(self, indices, on_batch):
        actual = logits(self, indices, on_batch)
        expected = torch_logits(self.network, self.inputs, indices, lambda _: None)
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)
        sizes.append(len(indices))
        return actual

    monkeypatch.setattr(CompiledExecutor, "logits", both)
    monkeypatch.setattr(batch_size, "LARGEST", 100)
    train(tmp_path / "run", **how)
    assert sizes == [sizes[0]] * 2
    assert sizes[0] % 100


def test_the_same_training_has_the_same_bits_and_dropout_is_its_own_in_every_step(tmp_path):
    train(tmp_path / "one")
    train(tmp_path / "two")
    assert_same_bits(tmp_path / "one", tmp_path / "two")
    train(tmp_path / "other", seed=1)
    assert not torch.equal(
        weights_of(tmp_path / "one")["0.weight"], weights_of(tmp_path / "other")["0.weight"]
    )


@pytest.mark.parametrize(
    "how",
    first_fast(
        2,
        [
            dict(optimizer="adamw"),
            dict(net="Normed", simd_width=WIDTHS[0]),
            *(dict(simd_width=width) for width in WIDTHS),
        ],
    ),
    ids=str,
)
def test_stopped_and_resumed_it_has_the_bits_of_an_unbroken_one(tmp_path, how):
    train(tmp_path / "uninterrupted", **how)
    stop = Act((7, lambda: os.kill(os.getpid(), signal.SIGINT)))
    with pytest.raises(Interrupted):
        train(tmp_path / "broken", callbacks=[stop], **how)
    assert state_of(tmp_path / "broken").metadata["state"]["engine"] == "lanes"
    convscope.resume(tmp_path / "broken")
    assert_same_bits(tmp_path / "uninterrupted", tmp_path / "broken")


def train_until_killed(out, net):
    kill = Act((9, lambda: os.kill(os.getpid(), signal.SIGKILL)))
    train(out, net=net, callbacks=[kill])


@pytest.mark.parametrize("net", first_fast(1, ["Narrow", "Normed"]))
def test_killed_without_a_word_it_has_the_bits_of_an_unbroken_one(tmp_path, net):
    train(tmp_path / "uninterrupted", net=net)
    process = FORKS.Process(target=train_until_killed, args=(tmp_path / "killed", net))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    convscope.resume(tmp_path / "killed")
    assert_same_bits(tmp_path / "uninterrupted", tmp_path / "killed")


@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_images_read_where_they_lie_are_those_that_torch_crops(tmp_path, monkeypatch, mode):
    how = dict(augment="crop-flip", crop_padding=3, crop_padding_mode=mode)
    train(tmp_path / "direct", **how)
    monkeypatch.setattr(
        compiled, "row_bytes", lambda inputs, _augment, _share: inputs.card.input_size[1]
    )
    train(tmp_path / "copied", **how)
    assert_same_bits(tmp_path / "direct", tmp_path / "copied")


def test_images_that_are_decoded_anew_give_the_same_bits(tmp_path):
    train(tmp_path / "in_memory", epochs=1)
    train(tmp_path / "streamed", epochs=1, cache_fraction=0.0)
    assert_same_bits(tmp_path / "in_memory", tmp_path / "streamed")


def test_what_the_engine_does_not_cover_is_refused_or_left_to_torch(tmp_path):
    model = dict(model=f"{__name__}:Grouped", input_size=32, in_channels=1, steps=1)
    with pytest.raises(RequestError, match="GroupNorm"):
        convscope.train("digits", out=tmp_path / "asked", engine="lanes", **model)
    assert not (tmp_path / "asked").exists()
    act = Act()
    convscope.train("digits", out=tmp_path / "auto", engine="auto", callbacks=[act], **model)
    notes = [note for note in act.notes if "Using PyTorch" in note]
    assert len(notes) == 1
    assert "GroupNorm" in notes[0]


@pytest.fixture
def long(monkeypatch):
    """Trainings are taken to be long enough for the engine to be compiled."""
    monkeypatch.setattr(factory.ExecutorFactory, "compile_seconds", lambda *_: 0.0)


def test_auto_does_not_compile_where_all_steps_take_less_time_than_that(tmp_path, monkeypatch):
    monkeypatch.setattr(select, "time_steps", lambda *_, **__: pytest.fail("it was compiled"))
    monkeypatch.setattr(factory.ExecutorFactory, "compile_seconds", lambda *_: 1e3)
    act = Act()
    train(tmp_path / "run", engine="auto", epochs=1, callbacks=[act])
    assert state_of(tmp_path / "run").metadata["state"]["engine"] == "torch"
    assert sum("and the engine about 1000.0 s to compile" in note for note in act.notes) == 1
    train(tmp_path / "timed", engine="auto", max_minutes=0.01)
    assert state_of(tmp_path / "timed").metadata["state"]["engine"] == "torch"


def test_what_steps_take_counts_all_that_are_to_come(tmp_path, monkeypatch):
    asked = []

    def seconds(*given):
        asked.append(given[-1])
        return 0.3 * given[-1]

    monkeypatch.setattr(select, "torch_seconds", seconds)
    monkeypatch.setattr(factory.ExecutorFactory, "compile_seconds", lambda *_: 3.0)
    times = Times({WIDTHS[-1]: 1.0}, 4.0)
    monkeypatch.setattr(select, "time_steps", lambda *_, **__: times)
    for steps, engine in ((9, "torch"), (10, "lanes")):
        out = tmp_path / engine
        train(out, engine="auto", steps=steps)
        assert state_of(out).metadata["state"]["engine"] == engine
    assert asked == [9, 10]


def test_the_trial_of_pytorch_changes_no_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(factory.ExecutorFactory, "compile_seconds", lambda *_: 1e3)
    for engine in ("auto", "torch"):
        train(tmp_path / engine, engine=engine, net="Narrow")
    assert_same_bits(tmp_path / "auto", tmp_path / "torch")


def test_time_to_compile_grows_with_the_layers():
    card = SimpleNamespace(in_channels=3, input_size=(32, 32))
    made = factory.ExecutorFactory(SimpleNamespace(card=card), None, None, TrainConfig())
    small, large = (made.compile_seconds(convscope.create_model(name, input_size=32, num_classes=3))
                    for name in ("tinyvgg", "resnet20_cifar"))  # fmt: skip
    assert 1 < small < 3
    assert 5 < large < 12


@pytest.mark.parametrize(
    ("times", "chosen"),
    [(Times({WIDTHS[-1]: 1.0}, 4.0), "lanes"), (Times({WIDTHS[-1]: 4.0}, 1.0), "torch")],
)
@pytest.mark.usefixtures("long")
def test_auto_takes_the_faster_and_says_by_how_much(tmp_path, monkeypatch, times, chosen):
    monkeypatch.setattr(select, "time_steps", lambda *_, **__: times)
    act = Act()
    train(tmp_path / "run", engine="auto", epochs=1, callbacks=[act])
    assert state_of(tmp_path / "run").metadata["state"]["engine"] == chosen
    assert any("1.0 ms" in note and "4.0 ms" in note for note in act.notes)


@pytest.mark.usefixtures("long")
def test_timing_both_changes_no_bit(tmp_path, monkeypatch):
    real = select.time_steps

    def timed(*given, **how):
        return replace(real(*given, **how), torch=math.inf)

    monkeypatch.setattr(select, "time_steps", timed)
    train(tmp_path / "timed", engine="auto")
    train(tmp_path / "asked")
    assert_same_bits(tmp_path / "timed", tmp_path / "asked")


def test_without_llvmlite_torch_computes_and_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(factory, "find_spec", lambda name: None)
    act = Act()
    train(tmp_path / "run", engine="auto", epochs=1, callbacks=[act])
    assert any("convscope[lanes]" in note for note in act.notes)
    with pytest.raises(RequestError, match=r"convscope\[lanes\]"):
        train(tmp_path / "asked")


def test_a_resumed_training_keeps_its_engine_and_says_where_it_cannot(tmp_path, monkeypatch):
    stop = Act((5, lambda: os.kill(os.getpid(), signal.SIGINT)))
    with pytest.raises(Interrupted):
        train(tmp_path / "run", callbacks=[stop])
    shutil.copytree(tmp_path / "run", tmp_path / "without")
    convscope.resume(tmp_path / "run")
    assert state_of(tmp_path / "run").metadata["state"]["engine"] == "lanes"
    monkeypatch.setattr(factory, "find_spec", lambda name: None)
    act = Act()
    convscope.resume(tmp_path / "without", callbacks=[act])
    assert any("Not bit-identical" in note for note in act.notes)
    assert Run(tmp_path / "without").read_metrics()[-1]["epoch"] == 2


@pytest.mark.usefixtures("eager")
def test_a_look_inside_sees_the_gradients_of_the_engine(tmp_path):
    live = Live(tmp_path / "run")
    act = Act(*((step, live.watch) for step in range(1, 12)))
    train(tmp_path / "run", callbacks=[act])
    layers = {layer["name"]: layer for layer in live.read_snapshot("look").metadata["layers"]}
    assert layers["0"]["gradient"] > 0
    assert layers["4"]["update"] > 0


def test_a_loss_that_becomes_no_number_stops_the_training(tmp_path):
    with pytest.raises(convscope.ConvscopeError, match="loss is"):
        train(tmp_path / "run", lr=1e6, warmup_epochs=0)

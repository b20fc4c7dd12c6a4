"""What the loop does in each step, and what it does when a step goes wrong."""

import json
import os
import signal
import sys
import tomllib

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import convscope
from convscope.errors import Interrupted, RequestError, WorkError
from convscope.runs.folder import Run
from convscope.runs.network import load_network
from convscope.training.batches import batch_slices
from convscope.training.callbacks.base import Callback
from tests.conftest import make_image_folder
from tests.repetition import first_fast
from tests.training.small import Act


class Notes(Callback):
    def __init__(self):
        self.notes, self.steps = [], []

    def on_message(self, event):
        self.notes.append(event.text)

    def on_step_end(self, state, event):
        self.steps.append(event)


def test_the_steps_are_those_of_plain_pytorch(tmp_path):
    """SGD on one whole batch, by the textbook and by `train`: equal weights."""
    act = Notes()
    words = dict(
        epochs=3, batch_size=2000, augment="none", lr_schedule="constant", warmup_epochs=0.0, lr=0.1
    )
    run = convscope.train(
        "digits", out=tmp_path / "run", metric="loss", callbacks=[act], **words
    ).run
    net, card = load_network(run)

    from sklearn.datasets import load_digits  # noqa: PLC0415

    split = [line.split(",")[2] for line in (run / "splits.csv").read_text().splitlines()[1:]]
    chosen = np.array(split) == "train"
    pixels = np.round(load_digits().images[chosen] * 255 / 16).astype(np.uint8)
    from PIL import Image  # noqa: PLC0415

    big = [Image.fromarray(p).resize((32, 32), Image.Resampling.BILINEAR) for p in pixels]
    images = torch.tensor(np.stack([np.asarray(b) for b in big]))[:, None].float() / 255
    images = (images - card.mean[0]) / card.std[0]
    labels = torch.tensor(load_digits().target[chosen])
    assert images.mean().abs() < 1e-4

    torch.manual_seed(0)
    plain = convscope.create_model("lenet5")
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    losses = []
    for _ in range(3):
        loss = F.cross_entropy(plain(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert [step.loss for step in act.steps] == pytest.approx(losses, rel=1e-4)
    for name, weight in plain.named_parameters():
        assert torch.allclose(weight, net.get_parameter(name), atol=1e-4), name


def test_metrics_have_a_line_per_epoch_and_the_best_is_kept(digits_run):
    lines = Run.open(digits_run).read_metrics()
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5, 6]
    best = max(lines, key=lambda line: (line["val_top1"], -line["val_loss"]))
    stored = Run.open(digits_run).read_weights()
    assert stored.metadata["epoch"] == best["epoch"]
    assert best["best"]


def test_the_default_is_right_more_often_than_97_times_in_100(tmp_path):
    trained = convscope.train(out=tmp_path / "run")
    assert trained.test.top1 >= 0.97
    assert trained.test.num_images == 359


@pytest.mark.parametrize("n", [1, 2, 64, 65, 66, 128, 129, 130])
def test_batches_use_every_picture_and_none_stands_alone(n):
    sizes = [s.stop - s.start for s in batch_slices(n, 64)]
    assert sum(sizes) == n
    assert n == 1 or 1 not in sizes
    assert all(size <= 65 for size in sizes)


def test_a_loss_that_is_no_number_stops_at_once_and_names_step_rate_and_layer(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(WorkError) as caught:
        convscope.train(
            "digits", out=out, model="tinyvgg", input_size=16, lr=1e6, warmup_epochs=0.0,
            lr_schedule="constant",
        )  # fmt: skip
    told = str(caught.value)
    assert "at step " in told
    assert "learning rate 1e+06" in told
    assert "first in " in told
    assert "kept" not in told  # but for the state of the start
    state, _ = Run.open(out).read_state()
    assert all(bool(t.isfinite().all()) for n, t in state.tensors.items() if n[:5] == "model")


def test_the_first_bad_layer_is_found():
    from convscope.training.nonfinite import first_nonfinite_layer  # noqa: PLC0415

    class Log(nn.Module):
        def forward(self, x):
            return x.log()

    net = nn.Sequential(nn.Identity(), Log(), nn.ReLU())
    assert first_nonfinite_layer(net, -torch.ones(1, 1)) == "1"
    linear = nn.Linear(2, 2)
    linear.bias.data[0] = float("nan")
    assert first_nonfinite_layer(nn.Sequential(nn.Identity(), linear), None) == "1.bias"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ..."),
    ],
)
def test_out_of_memory_suggests_half_the_batch(tmp_path, monkeypatch, error):
    def refuse(*_args, **_words):
        raise error

    monkeypatch.setattr(F, "cross_entropy", refuse)
    with pytest.raises(WorkError, match=r"Out of memory with batches of 32.*`batch_size=16`"):
        convscope.train("digits", out=tmp_path / "run")


def test_another_runtime_error_is_not_called_out_of_memory(tmp_path, monkeypatch):
    def refuse(*_args, **_words):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(F, "cross_entropy", refuse)
    with pytest.raises(RuntimeError, match="mat1"):
        convscope.train("digits", out=tmp_path / "run")


def test_early_stopping_ends_after_so_many_epochs_without_a_better_one(tmp_path):
    act = Notes()
    run = convscope.train(
        "digits",
        out=tmp_path / "run",
        lr=1e-9,
        warmup_epochs=0.0,
        early_stopping_patience=2,
        callbacks=[act],
    ).run
    lines = Run.open(run).read_metrics()
    assert len(lines) < 30
    assert [line["best"] for line in lines[-2:]] == [False, False]
    assert any("Stopped early" in note for note in act.notes)


@pytest.mark.parametrize("metric", first_fast(2, ["loss", "f1", "top1", "balanced"]))
def test_the_best_weights_are_chosen_by_the_metric(tmp_path, metric):
    run = convscope.train("digits", out=tmp_path / "run", epochs=4, metric=metric).run
    values = [line[f"val_{metric}"] for line in Run.open(run).read_metrics()]
    target = min(values) if metric == "loss" else max(values)
    assert values[Run.open(run).read_weights().metadata["epoch"] - 1] == target


def test_steps_and_minutes_end_a_training(tmp_path):
    act = Notes()
    convscope.train("digits", out=tmp_path / "steps", steps=33, callbacks=[act])
    assert act.steps[-1].step == 33
    quick = convscope.train("digits", out=tmp_path / "minutes", max_minutes=0.02)
    assert Run.open(quick.run).read_state()[0].metadata["state"]["seconds"] >= 1.2


@pytest.mark.parametrize(
    "words",
    [
        dict(optimizer="adamw", lr_schedule="one-cycle"),
        dict(lr_schedule="step", lr_milestones=[0.5], class_weights="balanced"),
        dict(lr_schedule="plateau", label_smoothing=0.1, sampling="balanced"),
        dict(clip_grad_norm=1.0, augment="crop-flip", val=0.0),
        dict(model="tinyvgg", input_size=16, resize_mode="letterbox"),
    ],
    ids=str,
)
def test_every_choice_learns(tmp_path, words):
    trained = convscope.train("digits", out=tmp_path / "run", epochs=6, **words)
    assert trained.test.top1 > 0.5


def test_clipping_limits_the_norm_of_the_gradient(tmp_path, monkeypatch):
    norms = []
    real = nn.utils.clip_grad_norm_

    def seen(weights, most):
        weights = list(weights)
        real(weights, most)
        norms.append(torch.stack([w.grad.norm() for w in weights]).norm().item())

    monkeypatch.setattr(nn.utils, "clip_grad_norm_", seen)
    convscope.train("digits", out=tmp_path / "run", steps=5, clip_grad_norm=0.01, engine="torch")
    assert len(norms) == 5
    assert max(norms) <= 0.0101


def test_gray_pictures_feed_a_color_network_and_the_reverse(tmp_path, image_folder):
    act = Notes()
    gray = convscope.train(
        str(image_folder), out=tmp_path / "gray", model="lenet5", epochs=1, callbacks=[act]
    )
    assert Run.open(gray.run).read_card().in_channels == 1
    assert any("converted to grayscale" in note for note in act.notes)
    color = convscope.train("digits", out=tmp_path / "color", model="tinyvgg", epochs=1)
    assert Run.open(color.run).read_card().in_channels == 3


def test_a_folder_of_clear_colors_is_learnt_and_its_files_are_not_touched(tmp_path, image_folder):
    before = {path: path.read_bytes() for path in image_folder.rglob("*") if path.is_file()}
    trained = convscope.train(
        str(image_folder), out=tmp_path / "run", model="tinyvgg", epochs=40, batch_size=8
    )
    assert trained.test.top1 == 1.0
    after = {path: path.read_bytes() for path in image_folder.rglob("*") if path.is_file()}
    assert after == before


def test_images_from_memory_disk_and_files_train_to_the_same_bits(tmp_path, image_folder):
    words = dict(model="tinyvgg", epochs=2, batch_size=5, augment="crop-flip")
    for cache in ("ram", "disk", "none"):
        convscope.train(str(image_folder), out=tmp_path / cache, cache=cache, **words)
    # Mean and std are taken of at most 2,048 pictures when streaming; here that is all of them.
    weights = [
        Run.open(tmp_path / cache).read_weights().tensors for cache in ("ram", "disk", "none")
    ]
    for other in weights[1:]:
        assert all(torch.equal(tensor, other[name]) for name, tensor in weights[0].items())


@pytest.mark.parametrize("cache", ["none", "disk"])
def test_resized_crops_give_the_same_bits_from_memory_from_files_and_after_a_stop(
    tmp_path, image_folder, cache
):
    words = dict(model="tinyvgg", epochs=2, batch_size=5, augment="resized-crop-flip", threads=1)
    whole = convscope.train(str(image_folder), out=tmp_path / "whole", input_size=16, **words)
    stop = Act((7, lambda: os.kill(os.getpid(), signal.SIGINT)))
    with pytest.raises(Interrupted):
        convscope.train(
            str(image_folder), out=tmp_path / "stopped", input_size=16, cache=cache,
            callbacks=[stop], **words,
        )  # fmt: skip
    stopped = convscope.resume(tmp_path / "stopped")
    one, other = (Run.open(each.run).read_weights().tensors for each in (whole, stopped))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    assert convscope.evaluate(whole.run).loss == whole.test.loss == stopped.test.loss


@pytest.mark.parametrize(("side", "resize_size"), [(8, 9), (200, None)])
def test_with_resized_crops_images_are_evaluated_as_the_reference_of_torchvision_does(
    tmp_path, image_folder, side, resize_size
):
    result = convscope.train(
        str(image_folder), out=tmp_path / "run", model="tinyvgg", input_size=side, steps=1,
        augment="resized-crop", batch_size=2,
    )  # fmt: skip
    card = Run.open(result.run).read_card()
    assert (card.resize_mode, card.resize_size) == ("crop", resize_size)


def test_a_network_that_cannot_read_channels_last_trains_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "viewer.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, num_classes, in_channels):\n"
        "        super().__init__()\n"
        "        self.conv = nn.Conv2d(in_channels, 4, 5, stride=3)\n"
        "        self.fc = nn.Linear(400, num_classes)\n"
        "    def forward(self, x):\n"
        "        return self.fc(self.conv(x).relu().view(len(x), -1))\n"
    )
    monkeypatch.chdir(tmp_path)
    run = convscope.train(
        "digits", model="viewer:Net", input_size=32, in_channels=3, epochs=3, out="run"
    ).run
    assert convscope.evaluate(run).metrics.top1 > 0.5
    where = tmp_path / "run"
    monkeypatch.chdir("/")
    monkeypatch.delitem(sys.modules, "viewer")
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(tmp_path)])
    assert convscope.evaluate(where).metrics.top1 > 0.5  # imported from where it was trained


def test_a_config_says_enough_to_run_it_again(tmp_path, digits_run):
    config = Run.open(digits_run).read_config()
    words = {k: v for k, v in config.items() if not isinstance(v, dict) and k != "data"}
    convscope.train(config["data"], out=tmp_path / "again", **words)
    one, other = (
        json.loads((run / "test.json").read_text()) for run in (digits_run, tmp_path / "again")
    )
    assert one == other


@pytest.mark.parametrize("count", [1, 2])
def test_a_class_with_too_few_pictures_is_named(tmp_path, count):
    root = make_image_folder(tmp_path / "few", ("apple", "leaf"), each=6)
    for path in sorted((root / "leaf").iterdir())[count:]:
        path.unlink()
    with pytest.raises(RequestError, match="leaf"):
        convscope.train(str(root), out=tmp_path / "run", model="tinyvgg")
    assert not (tmp_path / "run").exists()


def test_a_full_disk_is_refused_before_the_first_epoch(tmp_path, monkeypatch):
    import shutil  # noqa: PLC0415

    usage = shutil.disk_usage(tmp_path)
    full = type(usage)(usage.total, usage.total - 1000, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(WorkError, match="No space left for the run"):
        convscope.train("digits", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_network_begins_at_the_rate_of_its_paper(tmp_path):
    """LeNet-5 of 1998 learns nothing at the rate of the others: its logits are distances."""
    trained = convscope.train("digits", model="lenet5_1998", epochs=10, out=tmp_path / "run")
    assert trained.test.top1 > 0.9
    config = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert config["lr"] == pytest.approx(0.003 * config["batch_size"] / 64)

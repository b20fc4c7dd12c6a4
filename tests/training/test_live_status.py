"""A training tells what it does, and neither that nor being watched changes a bit of it."""

import errno
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import convscope
from convscope.data.resize import resize_image
from convscope.data.source import open_source
from convscope.errors import Interrupted, RequestError, WorkError
from convscope.runs.folder import Run
from convscope.runs.live_files import Live
from convscope.runs.network import load_network
from convscope.training.callbacks.layer_stats import LayerStats
from convscope.training.callbacks.snapshots import FilterSnapshots
from tests.repetition import first_fast
from tests.training.small import Act, Net, assert_same_bits, spied_states, state_of, train


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    "settings",
    first_fast(
        2,
        [
            dict(),
            dict(model="Restless"),
            dict(model="lenet5", augment="crop-flip"),
            dict(optimizer="adamw", clip_grad_norm=0.5),
            dict(freeze="2"),
        ],
    ),
    ids=str,
)
def test_to_be_watched_changes_no_bit(tmp_path, monkeypatch, settings):
    train(tmp_path / "alone", **settings)
    assert not (tmp_path / "alone/live/look.safetensors").exists()
    monkeypatch.setattr(Live, "is_watched", lambda _live, _what="watched": True)
    train(tmp_path / "watched", **settings)
    assert Live(tmp_path / "watched").read_snapshot("layers").metadata["step"] == 30
    history = Live(tmp_path / "watched").read_snapshot("look").metadata["history"]
    assert [look["step"] for look in history] == list(range(1, 31))
    assert_same_bits(tmp_path / "alone", tmp_path / "watched")


@pytest.mark.usefixtures("eager")
def test_a_look_that_fails_ends_the_looks_and_not_the_training(tmp_path, monkeypatch):
    def fail(*_args, **_words):
        raise RuntimeError("no such thing")

    monkeypatch.setattr(Live, "is_watched", lambda _live, _what="watched": True)
    monkeypatch.setattr(LayerStats, "capture", fail)
    act = Act()
    train(tmp_path / "run", callbacks=[act])
    assert [note for note in act.notes if "no such thing" in note] == [act.notes[1]]


def test_the_series_is_what_the_steps_were(undisturbed):
    """Sums over the epochs are those of metrics.jsonl, which counts on its own."""
    series = Live(undisturbed).read_step_history()
    assert series.column("last").tolist() == list(range(1, 31))
    lines = Run(undisturbed).read_metrics()
    for line, part in zip(lines, np.split(series.table, 3), strict=True):
        first, hits, images = part[0, 0], part[:, 8].sum(), part[:, 9].sum()
        assert first == 10 * (line["epoch"] - 1) + 1
        assert images == len(open_splits(undisturbed, "train"))
        assert hits / images == pytest.approx(line["train_top1"], abs=1e-12)
        assert (part[:, 3] * part[:, 9]).sum() / images == pytest.approx(line["train_loss"])
    assert series.column("lr_high").max() == pytest.approx(Run(undisturbed).read_config()["lr"])


class Killed(BaseException):
    """The end of the process, as far as the code can tell."""


@pytest.mark.usefixtures("eager")
def test_after_a_kill_no_step_is_missing_and_none_counts_twice(tmp_path, undisturbed):
    out = tmp_path / "run"

    def kill():
        raise Killed

    with pytest.raises(Killed):
        train(out, callbacks=[Act((9, lambda: Live(out).request("save")), (17, kill))])
    assert Live(out).read_step_history().last == 16
    assert Run(out).read_state()[0].metadata["state"]["step"] == 9
    convscope.resume(out)
    mine, theirs = (Live(run).read_step_history().table[:, :-1] for run in (out, undisturbed))
    assert mine.tolist() == theirs.tolist()
    assert_same_bits(out, undisturbed)


def open_splits(run, split):
    rows = [line.split(",") for line in (run / "splits.csv").read_text().splitlines()[1:]]
    return [place for place, row in enumerate(rows) if row[2] == split]


@pytest.mark.usefixtures("eager")
def test_filters_begin_with_the_first_and_end_with_the_last_and_go_on(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(out, callbacks=[Act((15, lambda: os.kill(os.getpid(), signal.SIGTERM)))])
    convscope.resume(out)
    stored = Live(out).read_snapshot("filters")
    steps = stored.metadata["steps"]
    assert stored.metadata["layer"] == "0"
    assert (steps[0], steps[1], steps[-1], len(steps)) == (0, 1, 30, 8)
    assert sorted(map(int, stored.tensors)) == steps
    torch.manual_seed(0)
    assert torch.equal(stored.tensors["0"], Net()[0].weight.detach())
    assert torch.equal(stored.tensors["30"], state_of(out).tensors["model/0.weight"])


@pytest.mark.parametrize("last", [12, 100, 12_345])
def test_filters_are_spread_evenly_on_a_logarithmic_scale(last):
    filters = FilterSnapshots(nn.Conv2d(1, 200, 1), None, step=0)
    for step in range(1, last + 1):
        if step >= filters.due or step % 40 == 0 or step == last:
            filters.take(step)
    steps = list(filters.kept)
    assert (steps[0], steps[-1], len(steps)) == (0, last, 8)
    gaps = np.diff(np.log1p(steps))
    assert gaps.max() < 2.5 * gaps.mean()
    assert filters.stored().tensors["0"].shape == (96, 1, 1, 1)


def test_a_network_without_convolutions_has_no_filters():
    filters = FilterSnapshots(nn.Sequential(nn.Linear(2, 2)), None, step=0)
    filters.take(1)
    assert filters.kept == {}
    assert not filters.changed


def test_the_most_wrong_images_are_those_with_the_largest_losses(tmp_path):
    out = tmp_path / "run"
    train(out, model="lenet5")
    stored = Live(out).read_snapshot("wrong")
    net, card = load_network(out)
    last = state_of(out).tensors
    net.load_state_dict({k[6:]: v for k, v in last.items() if k[:6] == "model/"})
    digits, val = open_source("digits"), open_splits(out, "val")
    pixels = np.stack([resize_image(digits.images.image(place), card) for place in val])
    images = (torch.tensor(pixels).float() / 255 - card.mean[0]) / card.std[0]
    with torch.no_grad():
        logits = net.eval()(images.permute(0, 3, 1, 2)).double()
    labels = torch.tensor(digits.labels[val])
    losses = F.cross_entropy(logits, labels, reduction="none")
    worst = losses.argsort(descending=True)[:12]
    images = stored.metadata["images"]
    assert [image["index"] for image in images] == [val[place] for place in worst]
    assert [image["loss"] for image in images] == pytest.approx(losses[worst].tolist(), rel=1e-3)
    assert [image["is"] for image in images] == [str(labels[place].item()) for place in worst]
    assert [image["said"] for image in images] == [
        str(logits[place].argmax().item()) for place in worst
    ]
    sure = logits.softmax(1).max(1).values[worst]
    assert [image["probability"] for image in images] == pytest.approx(sure.tolist(), rel=1e-3)
    assert np.array_equal(stored.tensors["pixels"].numpy(), pixels[worst.numpy()])
    assert (stored.metadata["step"], stored.metadata["epoch"]) == (30, 3)


def test_the_states_of_a_training_come_in_their_order(tmp_path, monkeypatch):
    states = spied_states(monkeypatch)
    train(tmp_path / "run", epochs=2)
    epoch = ["training", "evaluating"]
    assert states == [*epoch, *epoch, "training", "testing", "done"]
    now = Live(tmp_path / "run").read_now()
    test = json.loads((tmp_path / "run/test.json").read_text())
    hits = round(test["top1"] * test["images"])
    assert now["message"] == f"Test accuracy {hits / 359:.2%} ({hits} of 359 images)."
    assert (now["step"], now["steps"], now["epoch"], now["epochs"]) == (20, 20, 2, 2)
    assert (now["batches"], now["progress"], now["saved_step"]) == (10, 1, 20)
    line = Run(tmp_path / "run").read_metrics()[-1]
    assert now["loss"] == line["train_loss"]
    assert now["top1"] == line["train_top1"]


def full(path, _data):
    raise OSError(errno.ENOSPC, "No space left on device", str(path))


@pytest.mark.usefixtures("eager")
def test_a_training_that_exits_says_that_it_stopped(tmp_path):
    with pytest.raises(SystemExit):
        train(tmp_path / "run", callbacks=[Act((2, sys.exit))])
    now = Live(tmp_path / "run").read_now()
    assert (now["state"], now["step"]) == ("stopped", 2)
    assert now["message"] == "Stopped at once; the state after step 0 is saved."


@pytest.mark.usefixtures("eager")
def test_a_disk_that_takes_no_telling_stops_no_training(tmp_path, monkeypatch, undisturbed):
    out = tmp_path / "run"
    monkeypatch.setattr(Live, "is_watched", lambda _live, _what="watched": True)
    stop = Act((15, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(Interrupted):
            train(out, callbacks=[stop])
    assert Live(out).read_now() is None
    (out / "live").rmdir()
    (out / "live").write_text("no folder")
    convscope.resume(out)
    assert_same_bits(out, undisturbed)
    assert (out / "live").read_text() == "no folder"


def test_how_a_training_ended_is_told_in_its_own_words(tmp_path):
    out = tmp_path / "bad"
    with pytest.raises(WorkError) as caught:
        train(out, model="tinyvgg", lr=1e6, warmup_epochs=0.0, lr_schedule="constant")
    now = Live(out).read_now()
    assert now["state"] == "failed"
    assert now["message"] == str(caught.value).replace(str(out), "bad")
    assert str(tmp_path) not in now["message"]

    def twice():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", callbacks=[Act((3, twice))])
    now = Live(tmp_path / "cut").read_now()
    assert (now["state"], now["saved_step"]) == ("stopped", 0)
    with pytest.raises(RequestError):
        convscope.resume(tmp_path / "cut", data=tmp_path / "nowhere")
    later = Live(tmp_path / "cut").read_now()
    assert later["state"] == "failed"
    assert later["description"] == now["description"]


def test_a_request_that_is_refused_leaves_no_folder(tmp_path):
    with pytest.raises(RequestError):
        train(tmp_path / "run", freeze="5")
    assert not (tmp_path / "run").exists()

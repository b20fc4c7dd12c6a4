"""Stochastic weight averaging: the weights of torch.optim.swa_utils, and a rate that holds."""

import copy
import os
import signal

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, update_bn

import convscope
from convscope.errors import RequestError
from convscope.runs.folder import Run
from convscope.runs.tensor_file import load_tensors
from convscope.training.config import TrainConfig
from convscope.training.schedule import Schedule
from tests.forked import FORKS
from tests.training.small import assert_same_bits, state_of, train

SETTINGS = dict(epochs=4, swa_start=0.5, swa_lr=0.02, lr=0.05, lr_schedule="cosine", metric="loss")
EPOCHS = (2, 3, 4)  # after which weights are averaged


class Watch(convscope.Callback):
    """Keeps the network after each epoch, what it was fed in it, and the rates."""

    def on_run_start(self, event):
        self.run, self.card, self.lrs = event, event.card, []
        self.networks, self.images = {}, {}

    def on_epoch_start(self, state, event):
        self.images[event.epoch] = []

    def on_step_end(self, state, event):
        mean, std = (torch.tensor(numbers) for numbers in (self.card.mean, self.card.std))
        images = (event.batch.pixels.float() / 255 - mean) / std
        self.images[event.epoch].append(images.permute(0, 3, 1, 2))
        self.networks[event.epoch] = copy.deepcopy(self.run.network)
        self.lrs.append(event.lr)


@pytest.fixture(scope="module", params=["torch", "lanes"])
def averaged(request, tmp_path_factory):
    if request.param == "lanes":
        pytest.importorskip("llvmlite")
    watch = Watch()
    watch.path = tmp_path_factory.mktemp("swa") / "run"
    settings = {**SETTINGS, "engine": request.param, "batch_size": 256}
    convscope.train(
        "digits", out=watch.path, model="tests.training.test_compiled:Normed", input_size=32,
        in_channels=1, augment="crop", callbacks=[watch], progress=False, **settings,
    )  # fmt: skip
    return watch


def torchs(watch, last):
    """The average after an epoch by torch, with its statistics."""
    average = AveragedModel(watch.networks[EPOCHS[0]])
    for epoch in EPOCHS[: EPOCHS.index(last) + 1]:
        average.update_parameters(watch.networks[epoch])
    update_bn(watch.images[last], average)
    return average.module.state_dict()


def test_weights_and_statistics_are_those_of_torch(averaged):
    found, exact = state_of(averaged.path).tensors, torchs(averaged, 4)
    for name, tensor in exact.items():
        if "num_batches" not in name:
            torch.testing.assert_close(found[f"average/{name}"], tensor, rtol=1e-4, atol=1e-5)


def test_the_best_epoch_s_average_is_kept_and_validated(averaged):
    kept = load_tensors(averaged.path / "model.safetensors")
    assert kept.metadata["epoch"] in EPOCHS[1:]
    for name, tensor in torchs(averaged, kept.metadata["epoch"]).items():
        if "num_batches" not in name:
            torch.testing.assert_close(kept.tensors[name], tensor, rtol=1e-4, atol=1e-5)
    line = Run(averaged.path).read_metrics()[kept.metadata["epoch"] - 1]
    measured = convscope.evaluate(averaged.path, split="val", trust=True)
    assert measured.loss == pytest.approx(line["val_loss"], rel=1e-4)


def test_the_network_that_is_trained_keeps_its_own_statistics(averaged):
    found = state_of(averaged.path).tensors
    for name, tensor in averaged.networks[4].state_dict().items():
        assert torch.equal(found[f"model/{name}"], tensor), name


def test_the_rate_holds_from_its_start_on(averaged):
    half = len(averaged.lrs) // 2
    assert averaged.lrs[half:] == [0.02] * half
    assert averaged.lrs[half - 1] > 0.02


def test_without_a_rate_of_its_own_it_stays_that_of_the_schedule():
    how = dict(name="cosine", peak=0.4, warmup=0.0, gamma=0.1, milestones=())
    schedule, plain = Schedule(**how, swa_start=0.75), Schedule(**how)
    assert [schedule.lr(t) for t in (0.5, 0.75, 0.9, 1)] == [
        plain.lr(0.5), *[plain.lr(0.75)] * 3
    ]  # fmt: skip


class DieInValidation(convscope.Callback):
    """Saves while the third epoch is validated, and kills the process."""

    def on_fit_start(self, state, event):
        self.save = event.save_checkpoint

    def on_evaluation_batch_end(self, state, event):
        if state.epoch == 2:
            self.save()
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_killed_in_a_validation_it_resumes_to_the_same_bits(tmp_path):
    more = dict(epochs=4, swa_start=0.5, batch_size=630)
    train(tmp_path / "whole", **more)
    process = FORKS.Process(
        target=train,
        args=(tmp_path / "killed",),
        kwargs=dict(callbacks=[DieInValidation()], **more),
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert state_of(tmp_path / "killed").tensors["average_counts"].tolist() == [2, 3]
    convscope.resume(tmp_path / "killed", trust=True)
    assert_same_bits(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(swa_lr=0.1), "`swa_lr` needs `swa_start`"),
        (dict(swa_start=0.5, ema=0.9), "choose one"),
    ],
)
def test_what_contradicts_itself_is_refused(settings, message):
    with pytest.raises(RequestError, match=message):
        TrainConfig(**settings)

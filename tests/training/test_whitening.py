"""A network that whitens its images: fitted before the first step, and a part of every run."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn

import convscope
from convscope.errors import Interrupted, RequestError
from convscope.layers import GlobalContrastNorm, ZCAWhitening
from convscope.runs.folder import Run
from convscope.training.callbacks.base import Callback
from tests.forked import FORKS
from tests.training.small import assert_same_bits

MODEL = f"{__name__}:Net"
SETTINGS = dict(
    model=MODEL, input_size=8, in_channels=1, epochs=2, batch_size=256, engine="torch",
    augment="none", progress=False,
)  # fmt: skip


class Net(nn.Sequential):
    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.gcn = GlobalContrastNorm(scale=8)
        self.zca = ZCAWhitening((1, 8, 8), filter_bias=0.1)
        self.drop = nn.Dropout(0.1)
        self.conv = nn.Conv2d(1, 4, 3)
        self.relu = nn.ReLU()
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(4 * 36, num_classes)


class StopAt(Callback):
    """A signal after a step."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, state, event):
        if event.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


class Seen(Callback):
    """Keeps the training images, as the network is fed them."""

    def __init__(self):
        self.pixels, self.notes = {}, []

    def on_message(self, event):
        self.notes.append(event.text)

    def on_run_start(self, event):
        self.card = event.card

    def on_step_end(self, state, event):
        for index, image in zip(event.batch.indices, event.batch.pixels, strict=True):
            self.pixels[int(index)] = (image.float() / 255 - self.card.mean[0]) / self.card.std[0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    seen = Seen()
    out = tmp_path_factory.mktemp("whitening") / "run"
    convscope.train("digits", out=out, callbacks=[seen], **SETTINGS)
    return out, seen


def test_it_is_fitted_to_the_training_images_as_they_are_fed(trained):
    out, seen = trained
    network, _ = convscope.load(out, model=MODEL)
    images = torch.stack(list(seen.pixels.values())).permute(0, 3, 1, 2)
    assert len(images) == len(np.unique(list(seen.pixels)))
    before = network.gcn(images)
    covariance, values = (
        np.cov(one.flatten(1).double(), rowvar=False, bias=True)
        for one in (before, network.zca(before))
    )
    own = np.linalg.eigvalsh(covariance)
    np.testing.assert_allclose(np.linalg.eigvalsh(values), np.sort(own / (own + 0.1)), atol=1e-4)
    np.testing.assert_allclose(network.zca(before).mean(0), 0, atol=1e-4)
    assert any("zca) is computed from" in note for note in seen.notes)


def test_evaluate_and_predict_agree_with_the_training(trained, tmp_path):
    out, _ = trained
    tested = json.loads((out / "test.json").read_text())
    assert convscope.evaluate(out, model=MODEL).metrics.top1 == tested["top1"]
    digits = load_digits().images
    path = tmp_path / "digit.png"
    Image.fromarray((digits[3] * 255 / 16).round().astype(np.uint8)).save(path)
    [prediction] = convscope.predict(out, path, model=MODEL)
    network, card = convscope.load(out, model=MODEL)
    pixels = torch.from_numpy(np.array(Image.open(path))).float() / 255
    centered = (pixels - card.mean[0]) / card.std[0]
    centered = centered - centered.mean()
    unit = 8 * centered.flatten() / centered.norm()
    whitened = (network.zca.weight @ (unit - network.zca.mean)).reshape(1, 1, 8, 8)
    probabilities = nn.Sequential(*[*network][2:])(whitened).softmax(1)
    assert prediction.top_k[0][1] == pytest.approx(probabilities.max().item(), rel=1e-5)


class Killed(BaseException):
    """The end of the process, as far as the code can tell."""


def stop_and_resume(out, moment):
    """In a process of its own: one with thousands of tests behind it was seen to crash here."""

    def refuse(*_):
        raise Killed

    with pytest.MonkeyPatch.context() as patched:
        if moment == "before the first state":
            patched.setattr(Run, "write_state", refuse)
            with pytest.raises(Killed):
                convscope.train("digits", out=out, **SETTINGS)
        else:
            with pytest.raises(Interrupted):
                convscope.train("digits", out=out, callbacks=[StopAt(4)], **SETTINGS)
    convscope.resume(out, progress=False)


@pytest.mark.parametrize("moment", ["before the first state", "after a step"])
def test_a_resumed_training_ends_with_the_same_bits(trained, tmp_path, moment):
    out = tmp_path / "run"
    process = FORKS.Process(target=stop_and_resume, args=(out, moment))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert_same_bits(trained[0], out)


def test_weights_bring_their_whitening(trained, tmp_path):
    out, _ = trained
    flipped = (16 - load_digits().images) * 15
    data = (flipped.astype(np.uint8), load_digits().target)
    seen = Seen()
    convscope.train(
        data, out=tmp_path / "run", callbacks=[seen],
        **{**SETTINGS, "epochs": 1, "weights": str(out)},
    )  # fmt: skip
    assert not any("is computed from" in note for note in seen.notes)
    before, after = (Run.open(run).read_weights().tensors for run in (out, tmp_path / "run"))
    assert torch.equal(before["zca.weight"], after["zca.weight"])


def test_images_that_are_too_large_are_refused_without_a_run(tmp_path):
    with pytest.raises(RequestError, match="150,528 x 150,528 numbers"):
        convscope.train(
            "digits", out=tmp_path / "run", model="nin_cifar_zca", input_size=224, in_channels=3,
            progress=False,
        )  # fmt: skip
    assert not (tmp_path / "run").exists()

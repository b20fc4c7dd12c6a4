"""A training that was stopped ends with the bits of one that was not."""

import contextlib
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
import torch

import convscope
from convscope.errors import Interrupted, RequestError, WorkError
from convscope.runs.folder import Run
from convscope.runs.tensor_file import load_tensors, save_tensors
from convscope.training.callbacks.base import Callback
from tests.repetition import first_fast
from tests.simd import WIDEST
from tests.training.small import Net, digest_of_weights

# Everything that a state must hold is in use: dropout (random state), momentum (optimizer), plateau
# (counters), augmentation and order (epoch and place in it), and the best so far.
SETTINGS = dict(
    epochs=3,
    lr_schedule="plateau",
    lr_patience=0,
    checkpoint_seconds=0.0,
    batch_size=128,
    **WIDEST,
)


NET = f"{Net.__module__}:Net"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Net.__module__])


class StopAt(Callback):
    """Asks for the end after so many steps, as a person does."""

    def __init__(self, step, number=signal.SIGINT):
        self.step, self.number = step, number

    def on_step_end(self, state, event):
        if event.step == self.step:
            os.kill(os.getpid(), self.number)


def train(out, **more):
    return convscope.train(
        "digits", out=out, model=NET, input_size=32, in_channels=1, **{**SETTINGS, **more}
    )


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    sys.modules.setdefault(__name__, sys.modules[Net.__module__])
    out = tmp_path_factory.mktemp("unbroken") / "run"
    train(out)
    return out


def assert_same_bits(one: Path, other: Path):
    assert digest_of_weights(one) == digest_of_weights(other)
    for name in ("model.safetensors", max(path.name for path in (one / "last").iterdir())):
        folder = "" if name.startswith("model") else "last"
        mine, theirs = load_tensors(one / folder / name), load_tensors(other / folder / name)
        assert mine.tensors.keys() == theirs.tensors.keys()
        for key, tensor in mine.tensors.items():
            assert torch.equal(tensor, theirs.tensors[key]), f"{name}: {key} differs"


def lines_without_times(run: Path):
    times = ("seconds", "images_per_second")
    return [{k: v for k, v in line.items() if k not in times} for line in Run(run).read_metrics()]


@pytest.mark.parametrize("step", first_fast(3, [1, 10, 29, 9, 11, 15]))
def test_a_stop_at_any_step_changes_no_bit(tmp_path, unbroken, step):
    out = tmp_path / "run"
    with pytest.raises(Interrupted, match="convscope resume") as caught:
        train(out, callbacks=[StopAt(step)])
    assert caught.value.status == 130
    convscope.resume(out)
    assert_same_bits(out, unbroken)
    assert lines_without_times(out) == lines_without_times(unbroken)
    assert (out / "test.json").read_text() == (unbroken / "test.json").read_text()


def test_sigterm_saves_too_and_exits_with_143(tmp_path):
    with pytest.raises(Interrupted) as caught:
        train(tmp_path / "run", callbacks=[StopAt(3, signal.SIGTERM)])
    assert caught.value.status == 143
    assert Run(tmp_path / "run").read_state()[0].metadata["state"]["step"] == 3


@pytest.fixture(scope="module")
def halfway(tmp_path_factory):
    sys.modules.setdefault(__name__, sys.modules[Net.__module__])
    out = tmp_path_factory.mktemp("halfway") / "run"
    with pytest.raises(Interrupted):
        train(out, callbacks=[StopAt(15)])
    return out


def test_other_threads_are_told(tmp_path, halfway):
    out = tmp_path / "run"
    shutil.copytree(halfway, out)
    notes = []
    act = Callback()
    act.on_message = lambda event: notes.append(event.text)
    convscope.resume(out, threads=torch.get_num_threads() + 1, callbacks=[act])
    assert any("Not bit-identical" in note and "threads" in note for note in notes)


def test_other_data_are_refused(tmp_path, image_folder):
    out = tmp_path / "run"
    with pytest.raises(Interrupted):
        convscope.train(
            str(image_folder),
            out=out,
            model="tinyvgg",
            epochs=2,
            batch_size=4,
            callbacks=[StopAt(1)],
        )
    victim = image_folder / "leaf" / "03.png"
    uninterrupted = victim.read_bytes()
    victim.write_bytes((image_folder / "plum" / "03.png").read_bytes())
    with pytest.raises(RequestError, match="not those that"):
        convscope.resume(out)
    victim.write_bytes(uninterrupted)
    (image_folder / "leaf").rename(image_folder / "leaves")
    with pytest.raises(RequestError, match="classes that the network was not trained on: 'leaves'"):
        convscope.resume(out)
    (image_folder / "leaves").rename(image_folder / "leaf")
    assert convscope.resume(out).test.num_images == 6


def test_a_finished_run_resumes_to_the_same_answer(tmp_path, unbroken):
    out = tmp_path / "run"
    shutil.copytree(unbroken, out)
    convscope.resume(out)
    assert_same_bits(out, unbroken)


def test_no_state_of_another_version_is_read(tmp_path, halfway):
    out = tmp_path / "run"
    shutil.copytree(halfway, out)
    for path in (out / "last").iterdir():
        stored = load_tensors(path)
        save_tensors(path, stored.tensors, {**stored.metadata, "version": 99})
    with pytest.raises(WorkError, match="version 99"):
        convscope.resume(out)


def test_training_leaves_no_trace_in_this_process(tmp_path):
    torch.manual_seed(11)
    before = torch.get_rng_state(), torch.get_num_threads(), signal.getsignal(signal.SIGINT)
    for stop in (3, 10**9):
        with contextlib.suppress(Interrupted):
            train(tmp_path / str(stop), callbacks=[StopAt(stop)], epochs=1, threads=1)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert torch.get_num_threads() == before[1]
        assert signal.getsignal(signal.SIGINT) is before[2]


class Killed(BaseException):
    """The end of the process, as far as the code can tell."""


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("operation", ["fsync", "replace"])
def test_a_kill_at_any_write_changes_no_bit(tmp_path, image_folder, monkeypatch, operation, every):
    """Enumerate the writes of a short training; die at the first, the second, the third ..."""

    def begin(out):  # two epochs of two steps each
        words = {**SETTINGS, "steps": 4, "batch_size": 16}
        convscope.train(image_folder, out=out, model=NET, input_size=32, in_channels=1, **words)

    begin(tmp_path / "uninterrupted")
    real, count = getattr(os, operation), 0

    def counted(*args):
        nonlocal count
        count += 1
        if count == last:
            raise Killed
        return real(*args)

    monkeypatch.setattr(os, operation, counted)
    for last in range(1, 200, every):
        count, out = 0, tmp_path / str(last)
        try:
            begin(out)
        except Killed:
            pass
        else:
            break
        if (out / "config.toml").exists():
            convscope.resume(out)
        else:  # it died before there was a run; the same command begins again
            begin(out)
        assert_same_bits(out, tmp_path / "uninterrupted")
        assert (out / "report.html").exists()
    assert last > 12, f"only {last} writes were seen"

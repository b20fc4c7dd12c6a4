"""A training whose process is killed at any instant resumes to the bits of an uninterrupted one.

Everything that a state must hold is in use, with either engine: dropout, crop-flip, AdamW.
"""

import os
import random
import shutil
import signal
import time
from itertools import count

import pytest
from torch import nn

import convscope
from tests.forked import FORKS, Forked
from tests.repetition import first_fast
from tests.simd import WIDEST
from tests.training.small import assert_same_bits, digest_of_weights

ENGINES = ["torch", "lanes"]
SETTINGS = dict(
    model=f"{__name__}:Net",
    input_size=32,
    in_channels=1,
    optimizer="adamw",
    augment="crop-flip",
    threads=1,
    **WIDEST,
)
SHORT = dict(epochs=2, batch_size=630, checkpoint_seconds=0.0)  # two epochs of two steps each


class Net(nn.Sequential):
    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(
            nn.Conv2d(1, 4, 5, stride=2),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Flatten(),
            nn.Linear(4 * 14 * 14, num_classes),
        )


def train(out, **more):
    return convscope.train("digits", out=out, **SETTINGS, **more)


def go_on(out, engine):
    """Resume, or begin again where the process died before there was a run."""
    if (out / "config.toml").exists():
        return convscope.resume(out, trust=True)
    return train(out, engine=engine, **SHORT)


def train_photographs(folder, out):
    """Go on with a training that draws much of every image, and keeps images on disk."""
    os.environ["CONVSCOPE_CACHE"] = str(out.parent / "decoded")
    if (out / "config.toml").exists():
        return convscope.resume(out)
    return convscope.train(
        str(folder), out=out, model="lenet5", input_size=32, augment="photo", mixup=0.4,
        random_erasing=0.3, cache="disk", epochs=2, batch_size=9, checkpoint_seconds=0.0,
        threads=1, engine="torch", optimizer="adamw",
    )  # fmt: skip


def die_at(operation, number, work, *words):
    """In a process of its own: work, and be killed before a call of os.fsync or os.replace."""
    real, calls = getattr(os, operation), 0

    def counted(*arguments):
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    setattr(os, operation, counted)
    work(*words)


def is_killed_at(operation, number, work, *words):
    """Whether a process was killed there; otherwise it came to its end before."""
    process = FORKS.Process(target=die_at, args=(operation, number, work, *words))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A short run for each engine. Look, do not write."""
    runs = {}

    def run(engine):
        if engine == "lanes":
            pytest.importorskip("llvmlite")
        if engine not in runs:
            runs[engine] = tmp_path_factory.mktemp(engine) / "run"
            train(runs[engine], engine=engine, **SHORT)
        return runs[engine]

    return run


@pytest.mark.parametrize("engine", ENGINES)
def test_two_processes_write_equal_files(tmp_path, uninterrupted, engine):
    expected, out = uninterrupted(engine), tmp_path / "elsewhere" / "run"
    assert not is_killed_at("fsync", 1_000_000, go_on, out, engine)
    assert_same_bits(out, expected)


def test_the_names_of_folders_are_not_in_the_file(tmp_path, image_folder):
    copied = shutil.copytree(image_folder, tmp_path / "elsewhere" / "the same images")
    for data, name in ((image_folder, "one"), (copied, "two")):
        settings = {**SETTINGS, "epochs": 1, "batch_size": 4, "engine": "torch"}
        convscope.train(data, out=tmp_path / name, **settings)
    assert digest_of_weights(tmp_path / "one") == digest_of_weights(tmp_path / "two")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("operation", "number"), first_fast(2, [("fsync", 15), ("replace", 4), ("replace", 11)])
)
def test_a_kill_at_a_write_changes_no_bit(tmp_path, uninterrupted, engine, operation, number):
    expected, out = uninterrupted(engine), tmp_path / "run"
    assert is_killed_at(operation, number, go_on, out, engine)
    go_on(out, engine)
    assert_same_bits(out, expected)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("operation", ["fsync", "replace"])
def test_a_kill_at_each_write_changes_no_bit(tmp_path, uninterrupted, engine, operation):
    expected, number = uninterrupted(engine), 1
    while is_killed_at(operation, number, go_on, out := tmp_path / str(number), engine):
        go_on(out, engine)
        assert_same_bits(out, expected)
        assert (out / "report.html").exists()
        number += 1
    assert number > 12, f"only {number} writes were seen"


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_kill_at_each_write_of_a_resume_changes_no_bit(tmp_path, uninterrupted, engine):
    expected = uninterrupted(engine)
    assert is_killed_at("replace", 9, go_on, tmp_path / "killed", engine)
    number = 1
    while True:
        out = tmp_path / str(number)
        shutil.copytree(tmp_path / "killed", out)
        if not is_killed_at("replace", number, go_on, out, engine):
            break
        go_on(out, engine)
        assert_same_bits(out, expected)
        number += 1
    assert number > 6, f"only {number} writes were seen"


@pytest.mark.parametrize(
    ("operation", "numbers"),
    [
        pytest.param("replace", [1, 12], id="replace"),
        pytest.param("fsync", None, id="each fsync", marks=pytest.mark.slow),
        pytest.param("replace", None, id="each replace", marks=pytest.mark.slow),
    ],
)
def test_kills_with_augmentation_and_the_cache_on_disk_change_no_bit(
    tmp_path, image_folder, monkeypatch, operation, numbers
):
    """From the first write of the cache to the last of the run; also of a cache that a killed
    process left behind."""
    monkeypatch.setenv("CONVSCOPE_CACHE", "")  # and put back at the end
    expected = tmp_path / "whole" / "run"
    train_photographs(image_folder, expected)
    for number in numbers or count(1):
        out = tmp_path / str(number) / "run"
        if not is_killed_at(operation, number, train_photographs, image_folder, out):
            assert numbers is None, f"write {number} was not seen"
            assert number > 12, f"only {number} writes were seen"
            break
        train_photographs(image_folder, out)
        assert_same_bits(out, expected)


def states(out):
    """The saved states, each write of one told from the next."""
    folder = out / "last"
    paths = folder.glob("step-*") if folder.exists() else []
    return {(path.name, path.stat().st_mtime_ns) for path in paths if path.exists()}


def kill_and_resume(out, words, delays):
    """Train, killed after each delay and resumed each time; the number of kills that hit."""
    command = ["train", *words, "--out", out]
    hits = 0
    for delay in delays:
        before = states(out)
        process = Forked(*command)
        until = time.monotonic() + 60
        while states(out) <= before and time.monotonic() < until:
            time.sleep(0.002)  # until the first save: from here on it trains
        time.sleep(delay)
        process.signal(signal.SIGKILL)
        hits += process.wait() == -signal.SIGKILL
        command = ["resume", out, "--trust"]
    return hits


@pytest.mark.slow
@pytest.mark.parametrize("kills", [2, 10])
@pytest.mark.parametrize("engine", ENGINES)
def test_kills_at_random_moments_change_no_bit(tmp_path, command, shell, engine, kills):
    if engine == "lanes":
        pytest.importorskip("llvmlite")
    settings = {**SETTINGS, "epochs": 16, "batch_size": 16, "engine": engine}
    flags = [(f"--{name.replace('_', '-')}", value) for name, value in settings.items()]
    words, expected = ["digits", *(word for flag in flags for word in flag)], tmp_path / "expected"
    assert "Test accuracy" in command("train", *words, "--out", expected).stdout
    random_delays = random.Random(0)
    words += ["--checkpoint-seconds", "0"]
    delays = [random_delays.uniform(0, 0.4) for _ in range(kills)]
    hits = kill_and_resume(tmp_path / "run", words, delays)
    assert hits == kills, "the training ended before it could be killed so often"
    shell("resume", tmp_path / "run", "--trust")
    assert_same_bits(tmp_path / "run", expected)

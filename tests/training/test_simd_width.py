"""The compiled engine's SIMD width: chosen by time, asked for by name, kept by a run."""

import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import convscope
from convscope.errors import Interrupted, RequestError
from convscope.runs.tensor_file import load_tensors
from convscope.training.config import TrainConfig
from convscope.training.executors import select, timing, trial
from tests.simd import WIDTHS
from tests.training.small import Act, assert_same_bits

pytest.importorskip("llvmlite")
from convscope.lanes import jit
from convscope.training.executors import compiled
from convscope.training.executors.trial import Times

TWO = pytest.mark.skipif(len(WIDTHS) != 2, reason="this processor has one width")
SETTINGS = dict(
    model="tests.training.test_kills:Net", input_size=32, in_channels=1, epochs=2, batch_size=128,
    checkpoint_seconds=0.0, engine="lanes",
)  # fmt: skip


def train(out, **more):
    return convscope.train("digits", out=out, **{**SETTINGS, **more})


def interrupted(out, **more):
    act = Act((7, lambda: os.kill(os.getpid(), signal.SIGINT)))
    with pytest.raises(Interrupted):
        train(out, callbacks=[act], **more)
    return act.notes


def resumed(run):
    act = Act()
    convscope.resume(run, callbacks=[act])
    return act.notes


def config_of(run):
    return tomllib.loads((run / "config.toml").read_text())


@TWO
@pytest.mark.parametrize(("engine", "faster"), [("auto", 8), ("lanes", 16)])
def test_the_faster_is_taken_told_and_kept(tmp_path, monkeypatch, engine, faster):
    times = Times({width: 1.0 if width == faster else 2.0 for width in WIDTHS}, 8.0)

    def timed(*_, beside_torch):
        return times if beside_torch else replace(times, torch=None)

    monkeypatch.setattr(select, "time_steps", timed)
    monkeypatch.setattr(select, "torch_seconds", lambda *_: 1e3)
    notes = interrupted(tmp_path / "run", engine=engine)
    assert sum(f"with {faster} SIMD lanes: 1.0 ms a step (2.0 ms" in note for note in notes) == 1
    written = config_of(tmp_path / "run")
    assert (written["engine"], written["simd_width"]) == ("lanes", faster)
    resumed(tmp_path / "run")
    train(tmp_path / "asked", simd_width=faster)
    assert_same_bits(tmp_path / "run", tmp_path / "asked")


def test_out_of_memory_suggests_half_the_batch(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(compiled.Engine, "step", fail)
    with pytest.raises(convscope.ConvscopeError, match="64"):
        train(tmp_path / "run", simd_width=WIDTHS[0])


def test_more_lanes_must_pay_for_their_memory():
    assert Times({8: 1.0, 16: 0.99}).width == 8
    assert Times({8: 1.0, 16: 0.9}).width == 16
    assert not Times({8: 1.0, 16: 0.9}, torch=0.95).torch_is_faster
    assert Times({8: 1.0, 16: 0.99}, torch=0.995).torch_is_faster


@TWO
def test_the_weights_of_two_widths_differ_by_rounding_alone(tmp_path):
    for width in WIDTHS:
        train(tmp_path / str(width), simd_width=width, epochs=1)
    one, two = (load_tensors(tmp_path / f"{n}" / "model.safetensors").tensors for n in WIDTHS)
    assert any(not torch.equal(one[name], two[name]) for name in one)
    for name in one:  # the same units were dropped
        torch.testing.assert_close(one[name], two[name], rtol=2e-3, atol=2e-5)


def test_runs_of_torch_have_none(tmp_path):
    train(tmp_path / "run", engine="torch", steps=1)
    assert "simd_width" not in config_of(tmp_path / "run")


@pytest.mark.slow
def test_a_run_that_was_written_without_a_width_goes_on_with_the_one_there_was(
    tmp_path, monkeypatch
):
    usual, to_dict = jit.host_target().lanes, TrainConfig.to_dict

    def earlier(config):
        return {name: value for name, value in to_dict(config).items() if name != "simd_width"}

    with monkeypatch.context() as patch:
        patch.setattr(TrainConfig, "to_dict", earlier)
        interrupted(tmp_path / "old", simd_width=usual)
    assert "simd_width" not in config_of(tmp_path / "old")
    begun = shutil.copytree(tmp_path / "old", tmp_path / "begun")  # before the first checkpoint
    shutil.rmtree(begun / "last")
    for weights in begun.glob("model.safetensors*"):
        weights.unlink()
    monkeypatch.setattr(select, "time_steps", None)
    write, turns = compiled.write_program, []

    def spied(*given, **how):
        turns.append(how["turns"])
        return write(*given, **how)

    monkeypatch.setattr(compiled, "write_program", spied)
    train(tmp_path / "whole", simd_width=usual)
    for run in ("old", "begun"):
        resumed(tmp_path / run)
        assert_same_bits(tmp_path / run, tmp_path / "whole")
    assert turns == [True, False, False]  # maps in the lanes are as new as the setting


def test_another_width_is_no_way_to_go_on(tmp_path):
    interrupted(tmp_path / "run", simd_width=WIDTHS[-1])
    path = tmp_path / "run" / "config.toml"
    path.write_text(path.read_text().replace(f"simd_width = {WIDTHS[-1]}", "simd_width = 4"))
    with pytest.raises(RequestError, match=rf"simd_width: the training ran with {WIDTHS[-1]}, "):
        convscope.resume(tmp_path / "run")


def test_what_the_processor_has_not_is_refused_and_a_run_goes_on_without(tmp_path, monkeypatch):
    interrupted(tmp_path / "run", simd_width=WIDTHS[-1])
    narrow = {4: jit.host_targets()[4]}
    monkeypatch.setattr(jit, "host_targets", lambda *, checked=False: narrow)
    with pytest.raises(RequestError, match=r"at most 4 float32 numbers. Choose `simd_width=4`"):
        train(tmp_path / "refused", simd_width=WIDTHS[-1])
    assert not (tmp_path / "refused").exists()
    notes = resumed(tmp_path / "run")
    assert sum(f"simd_width was {WIDTHS[-1]}" in note for note in notes) == 1
    assert any("Not bit-identical" in note for note in notes)


class Clock:
    """A clock that only what it times moves on."""

    now = 0.0

    def costs(self, *seconds):
        each = iter(seconds)

        def step():
            self.now += next(each)

        return step


def test_the_shortest_call_counts_and_the_first_prepares(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "step_clock", lambda _threads: lambda: clock.now)
    steps = {"a": clock.costs(0.001, *[0.25] * 3, 0.125), "b": clock.costs(9, *[0.5] * 4)}
    found, _ = timing.least_milliseconds(steps, threads=1, seconds=1)
    assert found == {"a": 125, "b": 500}


@pytest.mark.parametrize(("clear", "turns"), [(False, 10), (True, 4)])
def test_it_ends_sooner_where_all_is_clear(monkeypatch, clear, turns):
    clock, calls = Clock(), []
    monkeypatch.setattr(timing, "step_clock", lambda _threads: lambda: clock.now)

    def step():
        calls.append(1)
        clock.now += 0.125

    timing.least_milliseconds({0: step}, threads=1, seconds=1.2, is_clear=lambda _: clear)
    assert len(calls) == 1 + turns


@pytest.mark.parametrize(
    ("wall", "waited", "disturbed"),
    [(1.0, 0, False), (1.2, 0, False), (1.5, 0, True), (1.0, 0.05, False), (1.0, 0.5, True)],
)
def test_it_says_where_others_had_the_cores(monkeypatch, wall, waited, disturbed):
    clock = Clock()
    monkeypatch.setattr(timing, "_waited", lambda: waited * clock.now)
    monkeypatch.setattr(timing, "step_clock", lambda _threads: lambda: clock.now)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: wall * clock.now)
    step = clock.costs(*[0.5] * 5)
    assert timing.least_milliseconds({0: step}, threads=2, seconds=1) == ({0: 500}, disturbed)


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="only Linux counts it")
def test_time_without_a_core_is_counted():
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])  # on the same core
    try:
        waited, own = timing._waited(), time.thread_time()
        while time.thread_time() - own < 0.2:
            pass
        assert timing._waited() - waited > 0.05
    finally:
        other.kill()
        other.wait()
        os.sched_setaffinity(0, allowed)


def test_then_one_thread_is_timed_which_waits_for_no_other(tmp_path, monkeypatch):
    real, threads = trial.least_milliseconds, []

    def disturbed(steps, **how):
        threads.append(how["threads"])
        return real(steps, **{**how, "seconds": 0})[0], how["threads"] > 1

    monkeypatch.setattr(trial, "least_milliseconds", disturbed)
    monkeypatch.setattr(select, "torch_seconds", lambda *_: 1e3)
    act = Act()
    train(
        tmp_path / "run", engine="auto", simd_width=WIDTHS[-1], steps=1, threads=2, callbacks=[act]
    )
    assert threads == [2, 1]
    assert sum("on one thread (the CPU is busy)" in note for note in act.notes) == 1
    assert config_of(tmp_path / "run")["machine"]["threads"] == 2

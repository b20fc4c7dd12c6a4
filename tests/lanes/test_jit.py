"""The cache of machine code: found again, never trusted blindly, never needed."""

import copy
import ctypes
import os

import pytest
import torch

from convscope.lanes import jit
from convscope.lanes.engine import Engine
from convscope.lanes.ir import Target
from convscope.lanes.jit import compile_module, fast_targets, host_target, host_targets
from tests.lanes.networks import batch, network

ANSWER = "define i64 @answer(i64 %x) {{\n  %y = add i64 %x, {}\n  ret i64 %y\n}}\n"


def answer(compiled):
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(compiled.address("answer"))(2)


def test_the_same_code_is_compiled_once(tmp_path):
    folder = tmp_path / "new" / "folder"
    first = compile_module(ANSWER.format(40), cache=folder)
    second = compile_module(ANSWER.format(40), cache=folder)
    other = compile_module(ANSWER.format(41), cache=folder)
    assert [first.cached, second.cached, other.cached] == [False, True, False]
    assert [answer(one) for one in (first, second, other)] == [42, 42, 43]
    assert sorted(path.suffix for path in folder.iterdir()) == [".o", ".o"]


@pytest.mark.parametrize("fact", ["get_host_cpu_name", "llvm_version_info"])
def test_another_processor_or_compiler_finds_nothing(fact, tmp_path, monkeypatch):
    compile_module(ANSWER.format(40), cache=tmp_path)
    if fact == "get_host_cpu_name":
        monkeypatch.setattr(jit.llvm, fact, lambda: "generic")
    else:
        monkeypatch.setattr(jit.llvm, fact, (0, 0, 0))
    again = compile_module(ANSWER.format(40), cache=tmp_path)
    assert not again.cached
    assert answer(again) == 42


DAMAGES = {
    "empty": lambda code: b"",
    "cut off": lambda code: code[:-1],
    "only a digest": lambda code: code[:32],
    "one bit turned": lambda code: code[:100] + bytes([code[100] ^ 1]) + code[101:],
    "the digest turned": lambda code: bytes([code[0] ^ 1]) + code[1:],
    "something else": lambda code: b"\n" * 1000,
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_code_is_compiled_anew_and_mended(name, tmp_path):
    compile_module(ANSWER.format(40), cache=tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(DAMAGES[name](whole))
    again = compile_module(ANSWER.format(40), cache=tmp_path)
    assert not again.cached
    assert answer(again) == 42
    assert path.read_bytes() == whole
    assert compile_module(ANSWER.format(40), cache=tmp_path).cached


def test_a_cache_that_cannot_be_written_is_none(tmp_path):
    place = tmp_path / "file"
    place.write_text("no folder")
    for _ in range(2):
        compiled = compile_module(ANSWER.format(40), cache=place)
        assert not compiled.cached
        assert answer(compiled) == 42
    assert place.read_text() == "no folder"


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(handle, *_):
        os.close(handle)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jit.os, "fdopen", full)
    assert answer(compile_module(ANSWER.format(40), cache=tmp_path)) == 42
    assert not list(tmp_path.iterdir())


def test_code_from_the_cache_steps_as_code_just_compiled(tmp_path):
    net, shape = network("residual")
    images = batch(shape, 13)
    engines = [Engine(copy.deepcopy(net), shape, threads=2, cache=tmp_path) for _ in range(2)]
    assert [engine.compiled.cached for engine in engines] == [False, True]
    measured = [images.step(engine, lr=0.1) for engine in engines]
    assert measured[0] == measured[1]
    assert torch.equal(engines[0].parameters, engines[1].parameters)


@pytest.mark.parametrize(
    ("features", "lanes", "usual", "fast", "registers"),
    [
        ({"avx512vl": True, "avx2": True}, [4, 8, 16], 8, [8, 16], 32),
        ({"avx2": True, "avx512vl": False}, [4, 8], 8, [8], 16),
        ({"neon": True}, [4], 4, [4], 32),
        ({}, [4], 4, [4], 16),
    ],
)
def test_lanes_and_registers_are_the_processors(
    features, lanes, usual, fast, registers, monkeypatch
):
    monkeypatch.setattr(jit.llvm, "get_host_cpu_features", lambda: features)
    assert [*host_targets()] == lanes
    assert {target.registers for target in host_targets().values()} == {registers}
    assert host_target() == host_targets()[usual]
    assert fast_targets() == [host_targets()[one] for one in fast]
    assert host_target(lanes=16) == Target(16, registers)

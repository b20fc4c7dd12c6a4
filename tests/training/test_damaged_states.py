"""The newest checkpoint damaged in fifty ways, and states that lack one thing."""

import itertools
import json
import os
import random
import shutil
import signal
from pathlib import Path

import pytest
import torch

import convscope
from convscope.card import Card
from convscope.errors import ConvscopeError, Interrupted
from convscope.runs.folder import Run
from convscope.runs.tensor_file import TensorFile, load_tensors, save_tensors
from convscope.training.callbacks.checkpoint import pack, unpack
from convscope.training.config import TrainConfig
from convscope.training.optimizer import Optimizer
from convscope.training.state import TrainState
from tests.repetition import first_fast, sample_fast
from tests.simd import WIDEST
from tests.training.small import Act, Net, assert_same_bits, train

ENGINES = ["torch", "lanes"]
NETS = {
    "torch": {"model": "Net"},
    "lanes": {
        "model": "tests.training.test_kills:Net",
        "input_size": 32,
        "in_channels": 1,
        **WIDEST,
    },
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """By engine, an undisturbed run and one that has stopped. Look, do not write."""
    made = {}

    def pair(engine):
        if engine == "lanes":
            pytest.importorskip("llvmlite")
        if engine not in made:
            folder = tmp_path_factory.mktemp(engine)
            stop = Act((15, lambda: os.kill(os.getpid(), signal.SIGINT)))
            train(folder / "whole", engine=engine, **NETS[engine])
            with pytest.raises(Interrupted):
                train(
                    folder / "stopped",
                    engine=engine,
                    checkpoint_seconds=0.0,
                    callbacks=[stop],
                    **NETS[engine],
                )
            made[engine] = folder / "whole", folder / "stopped"
        return made[engine]

    return pair


def flipped(data, dice):
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def cut(data, dice):
    del data[dice.randrange(len(data)) :]


def zeroed(data, dice):
    start = dice.randrange(len(data) - 512)
    data[start : start + 512] = bytes(512)


def another_length(data, dice):
    data[:8] = dice.randrange(2**40).to_bytes(8, "little")


def lengthened(data, dice):
    data += dice.randbytes(dice.randrange(1, 1000))


def a_page(data, dice):
    data[:] = b"<!DOCTYPE html>" + dice.randbytes(100)


def in_the_header(data, dice):
    size = int.from_bytes(data[:8], "little")
    data[8 + dice.randrange(size)] ^= 1 << dice.randrange(7)


DAMAGES = [flipped, cut, zeroed, another_length, lengthened, a_page, in_the_header]


def damaged_ways():
    """Fifty ways, by number: five extremes, then each damage at random places."""
    yield from (lambda data: data.clear(), lambda data: data.__delitem__(slice(8, None)))
    yield from (lambda data: data.__delitem__(slice(-1, None)), lambda data: data.reverse())
    yield lambda data: data.__setitem__(slice(None), bytes(len(data)))
    for number in range(45):
        damage = DAMAGES[number % len(DAMAGES)]
        yield lambda data, damage=damage, number=number: damage(data, random.Random(number))


def test_the_newest_state_damaged_in_fifty_ways_gives_way_and_is_named(tmp_path, runs):
    run = Run(shutil.copytree(runs("torch")[1], tmp_path / "run"))
    before, newest = sorted((run.path / "last").iterdir())
    whole, passed = newest.read_bytes(), 0
    for change in damaged_ways():
        data = bytearray(whole)
        change(data)
        assert data != whole
        newest.write_bytes(data)
        stored, problems = run.read_state()
        assert stored.metadata["state"]["step"] == int(before.stem[5:])
        assert len(problems) == 1
        assert str(newest) in problems[0]
        passed += 1
    assert passed == 50


@pytest.mark.parametrize("engine", first_fast(1, ENGINES))
@pytest.mark.parametrize("number", [1, 8])
def test_a_resume_from_the_state_before_has_the_same_bits(tmp_path, runs, engine, number):
    whole, stopped = runs(engine)
    run = shutil.copytree(stopped, tmp_path / "run")
    newest = max((run / "last").iterdir())
    data = bytearray(newest.read_bytes())
    [*damaged_ways()][number](data)
    newest.write_bytes(data)
    notes = Act()
    convscope.resume(run, progress=False, callbacks=[notes])
    assert any(str(newest) in note and "before it is used" in note for note in notes.notes)
    assert_same_bits(run, whole)


CARD = Card(
    classes=tuple("0123456789"),
    input_size=(32, 32),
    in_channels=1,
    resize_mode="pad",
    mean=(0.0,),
    std=(1.0,),
)


def packed():
    net = Net()
    optimizer = Optimizer(net, TrainConfig(lr=0.1, batch_size=8))
    state = TrainState(step=3, history=[{"epoch": 1}], best=(0.5, 1.0))
    return net, optimizer, pack(net, optimizer, state, made_with={})


def parts():
    _, _, stored = packed()
    yield from stored.tensors
    later = ("skipped_steps", "lr_changes")  # which earlier versions did not know
    yield from (name for name in stored.metadata["state"] if name not in later)
    yield from ("state", "version")


@pytest.mark.parametrize("part", sample_fast(4, [*parts()]))
def test_a_state_that_lacks_a_part_is_refused(part):
    net, optimizer, stored = packed()
    tensors = {name: tensor for name, tensor in stored.tensors.items() if name != part}
    facts = json.loads(json.dumps(stored.metadata))
    facts.pop(part, None)
    facts.get("state", {}).pop(part, None)
    before = torch.get_rng_state()
    with pytest.raises(ConvscopeError, match=r"step-3"):
        unpack(TensorFile(tensors, facts), net, optimizer, where=Path("step-3"), card=CARD)
    torch.set_rng_state(before)


def test_a_state_of_a_version_without_fp16_has_skipped_no_step():
    net, optimizer, stored = packed()
    del stored.metadata["state"]["skipped_steps"]
    state = unpack(stored, net, optimizer, where=Path("step-3"), card=CARD)
    assert (state.step, state.skipped_steps) == (3, 0)


LEFT_OUT = {
    "random state": lambda tensors, facts: tensors.update(
        {"random/cpu": torch.Generator().manual_seed(5).get_state()}
    ),
    "optimizer": lambda tensors, facts: tensors.update(
        {name: value * 0 for name, value in tensors.items() if "optimizer/" in name}
    ),
    "statistics": lambda tensors, facts: tensors.update(
        {name: value * 0 for name, value in tensors.items() if "running" in name}
    ),
    "learning rate": lambda tensors, facts: facts["state"].update(
        plateau=dict(best=None, num_bad_epochs=0, num_reductions=3)
    ),
    "best": lambda tensors, facts: facts["state"].update(best=[2.0, 0.0]),
    "place in the order": lambda tensors, facts: facts["state"].update(batch=0),
    "epoch": lambda tensors, facts: facts["state"].update(epoch=0),
    "step": lambda tensors, facts: facts["state"].update(step=0),
    "sum of losses": lambda tensors, facts: facts["state"].update(loss_sum=0.0),
    "images so far": lambda tensors, facts: facts["state"].update(num_examples=0),
    "right so far": lambda tensors, facts: facts["state"].update(num_correct=0),
    "history": lambda tensors, facts: facts["state"].update(history=[]),
}
"""For each part of a state, as if it had not been saved."""


@pytest.mark.parametrize(
    ("engine", "part"),
    sample_fast(
        3,
        [pair for pair in itertools.product(ENGINES, LEFT_OUT) if pair != ("lanes", "statistics")],
    ),
)
def test_each_part_decides_the_bits_with_either_engine(tmp_path, runs, engine, part):
    """Shows that the comparison of `assert_same_bits` would notice the omission."""
    whole, stopped = runs(engine)
    run = shutil.copytree(stopped, tmp_path / "run")
    path = max((run / "last").iterdir())
    stored = load_tensors(path)
    tensors, facts = dict(stored.tensors), json.loads(json.dumps(stored.metadata))
    LEFT_OUT[part](tensors, facts)
    save_tensors(path, tensors, facts)
    with pytest.raises((AssertionError, ConvscopeError)):
        assert_same_bits(convscope.resume(run, progress=False).run, whole)

"""Threads: any number, in any order, by either driver, and always the same sums."""

import copy

import numpy as np
import pytest
import torch

from convscope.errors import WorkError
from convscope.lanes import threads as module
from convscope.lanes.engine import Engine
from convscope.lanes.threads import openmp
from tests.lanes.networks import batch, distance, exact, network
from tests.repetition import first_fast

DRIVERS = [True, False]


def tiny(**how):
    net, shape = network("dense alone")
    return Engine(copy.deepcopy(net), shape, **how), shape


@pytest.mark.parametrize("with_openmp", DRIVERS)
def test_two_engines_in_turn_at_changing_thread_counts_stay_right(with_openmp):
    one, shape = tiny(threads=5, with_openmp=with_openmp)
    net, other_shape = network("padded, then dense")
    two = Engine(net, other_shape, threads=3, with_openmp=with_openmp)
    random = np.random.default_rng(0)
    images = [batch(shape, 37), batch(other_shape, 21)]
    wanted = [
        given.step(engine, threads=1, update=False)
        for given, engine in zip(images, (one, two), strict=True)
    ]
    for _ in range(1000):
        for engine, given, (loss, num_correct) in zip((one, two), images, wanted, strict=True):
            threads = int(random.integers(1, engine.most + 1))
            measured = given.step(engine, threads=threads, update=False)
            assert measured == (pytest.approx(loss, rel=1e-5), num_correct)
    assert torch.isfinite(one.parameters).all()


@pytest.mark.parametrize("with_openmp", DRIVERS)
@pytest.mark.parametrize("threads", first_fast(1, [3, 1, 2]))
def test_twenty_steps_have_the_same_bits_each_time(threads, with_openmp):
    found = []
    for _ in range(2):
        net, shape = network("residual")
        engine = Engine(net, shape, threads=3, with_openmp=with_openmp)
        measured = [
            batch(shape, 29, seed=step).step(engine, lr=0.05, momentum=0.9, threads=threads)
            for step in range(20)
        ]
        found.append((measured, engine.parameters.clone(), engine.first.clone()))
    assert found[0][0] == found[1][0]
    assert torch.equal(found[0][1], found[1][1])
    assert torch.equal(found[0][2], found[1][2])


def test_both_drivers_have_the_same_bits():
    if openmp() is None:
        pytest.skip("torch brings no GNU OpenMP here")
    engines = [tiny(threads=3, with_openmp=driver) for driver in DRIVERS]
    for step in range(5):
        measured = [batch(shape, 33, seed=step).step(engine, lr=0.1) for engine, shape in engines]
        assert measured[0] == measured[1]
    assert torch.equal(engines[0][0].parameters, engines[1][0].parameters)


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_of_every_size_to_forty_are_right(threads):
    net, shape = network("padded, then dense")
    engine = Engine(copy.deepcopy(net), shape, threads=threads)
    for count in range(1, 41):
        images = batch(shape, count, seed=count)
        loss, wanted = exact(net, images)
        measured, _ = images.step(engine, update=False)
        assert measured == pytest.approx(loss, rel=1e-5)
        assert distance(engine.gradients(), wanted) < 1e-5


def test_more_threads_than_images_do_nothing_twice():
    engine, shape = tiny(threads=6)
    images = batch(shape, 3)
    one, six = (images.step(engine, threads=count, update=False) for count in (1, 6))
    assert one == (pytest.approx(six[0], rel=1e-6), six[1])


def test_a_team_smaller_than_asked_for_does_the_work_of_all():
    if openmp() is None:
        pytest.skip("torch brings no GNU OpenMP here")
    before = torch.get_num_threads()
    engine, shape = tiny(threads=4)
    images = batch(shape, 40)
    loss, num_correct = images.step(engine, threads=1, update=False)
    try:
        torch.set_num_threads(1)
        measured = images.step(engine, threads=4, update=False)
    finally:
        torch.set_num_threads(before)
    assert measured == (pytest.approx(loss, rel=1e-6), num_correct)


def test_a_process_that_was_forked_off_is_told_instead_of_waiting_forever(monkeypatch):
    engine, shape = tiny(threads=2)
    images = batch(shape, 9)
    images.step(engine)
    monkeypatch.setattr(module.os, "getpid", lambda: -1)
    with pytest.raises(WorkError, match="spawn"):
        images.step(engine)

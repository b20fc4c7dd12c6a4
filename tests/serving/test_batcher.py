"""Images that arrive together are computed together, none waits for nothing, none is lost."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from convscope.serving.batcher import Batcher, QueuedImage, QueueFullError
from tests.serving.servers import wait_for


class Engine:
    """Answers with the first byte of each image; waits for `go` before every batch."""

    def __init__(self, *, waits=False):
        self.sizes = []
        self.go = threading.Semaphore(0) if waits else None

    def __call__(self, pixels):
        self.sizes.append(len(pixels))
        if self.go is not None:
            assert self.go.acquire(timeout=30)
        return pixels.reshape(len(pixels), -1)[:, :1].astype(np.float64)


@contextmanager
def batching(**options):
    batcher = Batcher(**{"max_batch_size": 8, "max_delay": 0.0, "queue_size": 1000} | options)
    try:
        yield batcher
    finally:
        batcher.close()


def image(engine, value, seconds=30.0):
    pixels = np.full((2, 2, 3), value, np.uint8)
    return QueuedImage(deadline=time.monotonic() + seconds, classify=engine, pixels=pixels)


def put(batcher, *images):
    batcher.admit(len(images))
    for one in images:
        batcher.put(one)


def test_every_image_gets_its_own_answer_from_many_threads():
    engine = Engine()
    with batching() as batcher, ThreadPoolExecutor(16) as threads:
        images = [image(engine, value) for value in range(250)]
        list(threads.map(lambda one: put(batcher, one), images))
        assert [one.answer.result(30)[0] for one in images] == list(range(250))
    assert sum(engine.sizes) == 250
    assert max(engine.sizes) <= 8


def test_what_arrives_while_the_engine_works_is_the_next_batch():
    engine = Engine(waits=True)
    with batching(max_batch_size=4) as batcher:
        images = [image(engine, value) for value in range(7)]
        put(batcher, images[0])
        assert wait_for(lambda: engine.sizes == [1])
        put(batcher, *images[1:])
        engine.go.release(3)
        assert [one.answer.result(30)[0] for one in images] == list(range(7))
    assert engine.sizes == [1, 4, 2]


def test_images_of_one_method_are_one_batch_though_it_is_another_object_each_time():
    engine = Engine(waits=True)
    with batching(max_batch_size=4) as batcher:
        images = [image(engine.__call__, value) for value in range(4)]
        assert images[0].classify is not images[1].classify
        put(batcher, images[0])
        assert wait_for(lambda: engine.sizes == [1])
        put(batcher, *images[1:])
        engine.go.release(2)
        assert [one.answer.result(30)[0] for one in images] == list(range(4))
    assert engine.sizes == [1, 3]


def test_an_image_alone_does_not_wait_for_the_delay():
    with batching(max_delay=20.0) as batcher:
        begin = time.monotonic()
        put(batcher, one := image(Engine(), 3))
        assert one.answer.result(10)[0] == 3
        assert time.monotonic() - begin < 5


def test_an_image_waits_for_those_that_are_being_decoded():
    engine = Engine()
    with batching(max_delay=20.0, max_batch_size=3) as batcher:
        images = [image(engine, value) for value in range(3)]
        batcher.admit(3)
        for one in images:
            time.sleep(0.05)
            batcher.put(one)
        assert [one.answer.result(10)[0] for one in images] == [0, 1, 2]
    assert engine.sizes == [3]


def test_the_delay_ends_where_decoding_takes_longer():
    engine = Engine()
    with batching(max_delay=0.05) as batcher:
        batcher.admit(2)
        batcher.put(one := image(engine, 1))
        assert one.answer.result(10)[0] == 1
        batcher.withdraw()
        assert batcher.num_waiting == 0


def test_the_queue_is_bounded_and_the_batch_that_is_computed_does_not_count():
    engine = Engine(waits=True)
    with batching(queue_size=3, max_batch_size=1) as batcher:
        images = [image(engine, value) for value in range(4)]
        put(batcher, images[0])
        assert wait_for(lambda: engine.sizes == [1])
        put(batcher, *images[1:])
        with pytest.raises(QueueFullError):
            batcher.admit(1)
        assert batcher.num_waiting == 3
        engine.go.release(4)
        assert images[3].answer.result(30)[0] == 3
        batcher.admit(3)
        with pytest.raises(QueueFullError):
            batcher.admit(1)
        batcher.withdraw(3)


def test_what_nobody_waits_for_is_not_computed():
    engine = Engine(waits=True)
    with batching() as batcher:
        put(batcher, first := image(engine, 0))
        assert wait_for(lambda: engine.sizes == [1])
        put(batcher, late := image(engine, 1, seconds=0.0), left := image(engine, 2),
            last := image(engine, 3))  # fmt: skip
        left.answer.cancel()
        engine.go.release(2)
        assert last.answer.result(30)[0] == 3
        assert first.answer.done()
        assert not late.answer.done()
    assert engine.sizes == [1, 1]


def test_a_batch_is_for_one_network():
    old, new = Engine(waits=True), Engine()
    with batching() as batcher:
        put(batcher, image(old, 0))
        assert wait_for(lambda: old.sizes == [1])
        images = [image(engine, value) for value, engine in enumerate((old, old, new, new, old))]
        put(batcher, *images)
        old.go.release(3)
        assert [one.answer.result(30)[0] for one in images] == list(range(5))
    assert (old.sizes, new.sizes) == ([1, 2, 1], [2])


def test_an_engine_that_fails_is_told_to_those_who_wait_and_goes_on():
    def fail(_pixels):
        raise ValueError("no answer")

    with batching() as batcher:
        put(batcher, bad := image(fail, 1))
        with pytest.raises(ValueError, match="no answer"):
            bad.answer.result(30)
        put(batcher, good := image(Engine(), 2))
        assert good.answer.result(30)[0] == 2


def test_what_waits_is_answered_before_the_end():
    engine = Engine()
    batcher = Batcher(max_batch_size=2, max_delay=0.0, queue_size=100)
    images = [image(engine, value) for value in range(20)]
    put(batcher, *images)
    batcher.close()
    assert [one.answer.result(0)[0] for one in images] == list(range(20))

"""A batch in parts has the answers of the whole, each image's in its own place."""

import threading

import numpy as np
import pytest
import torch
from torch import nn

from convscope.conversion.engine_files import write_engine_file
from convscope.conversion.network_graph import exportable, network_graph
from convscope.engines import is_installed
from convscope.engines.splits import SPLITTABLE, Split, in_parts, open_split, possible_splits

pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 4)).eval()


@pytest.fixture(scope="module")
def graph(net):
    return network_graph(exportable(net), (3, 10, 10), 4)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("engine", SPLITTABLE)
def test_answers_are_those_of_the_network(engine, threads, net, graph, tmp_path):
    if not is_installed(engine):
        pytest.skip(f"{engine} is not installed")
    path = write_engine_file(engine, tmp_path, graph)
    images = torch.randn(33, 3, 10, 10, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = net(images).numpy()
    assert np.ptp(expected[:, 0]) > 0.1  # an image in another's place would be seen
    splits = possible_splits(engine, batch_size=32, threads=threads)
    assert {split.in_parallel for split in splits} == {threads > 1}
    for batch_size, split in ((1, None), *((32, split) for split in (None, *splits))):
        run = open_split(engine, path, threads=threads, batch_size=batch_size, split=split)
        for count in (1, 2, 3, 7, 33):
            found = run(images[:count].numpy())
            assert np.abs(found - expected[:count]).max() < 1e-5


def test_parts_are_computed_at_the_same_time_by_workers_that_take_one_each():
    meeting, at_once = threading.Barrier(2, timeout=20), [0, 0]

    def worker(number):
        def run(images):
            at_once[number] += 1
            assert at_once[number] == 1, "two parts in one worker at the same time"
            assert len(images) <= 4
            meeting.wait()  # broken, and an error, unless another worker computes meanwhile
            at_once[number] -= 1
            return images.reshape(len(images), -1)

        return run

    run = in_parts([worker(0), worker(1)], Split(images=4, in_parallel=True))
    images = np.arange(16, dtype=np.float32).reshape(16, 1, 1, 1)
    assert run(images)[:, 0].tolist() == list(range(16))
    assert run(images[:5])[:, 0].tolist() == [0, 1, 2, 3, 4]  # three and two, not four and one


def test_an_error_in_a_worker_is_raised_and_the_next_batch_is_computed():
    def worker(images):
        if images.max() > 9:
            raise ValueError("too large")
        return images.reshape(len(images), -1)

    run = in_parts([worker] * 2, Split(images=1, in_parallel=True))
    images = np.arange(12, dtype=np.float32).reshape(12, 1, 1, 1)
    with pytest.raises(ValueError, match="too large"):
        run(images)
    for _ in range(3):
        assert run(images[:8])[:, 0].tolist() == list(range(8))


def test_an_engine_that_takes_one_image_after_the_other_is_given_none(net, graph, tmp_path):
    if not is_installed("ncnn"):
        pytest.skip("ncnn is not installed")
    path = write_engine_file("ncnn", tmp_path, graph)
    split = Split(images=1, in_parallel=True)  # as of a file that was written by others
    run = open_split("ncnn", path, threads=2, batch_size=4, split=split)
    images = torch.randn(4, 3, 10, 10, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert run(images.numpy()) == pytest.approx(net(images).numpy(), abs=1e-4)


def test_what_is_worth_timing():
    def told(name="onnxruntime", **sizes):
        return [str(split) for split in possible_splits(name, **sizes)]

    assert told(batch_size=1, threads=2) == []
    assert told(batch_size=32, threads=1) == ["1 at a time", "4 at a time", "16 at a time"]
    assert told(batch_size=32, threads=2) == ["1 per thread", "4 per thread", "16 per thread"]
    assert told(batch_size=64, threads=2)[-1] == "32 per thread"
    assert told(batch_size=4, threads=8) == ["1 per thread"]
    assert told("ncnn", batch_size=32, threads=2) == []

"""Devices by name, threads as found, memory that is free and memory that is kept."""

import subprocess
import sys

import pytest
import torch

from convscope.device import choose_device, threads_set
from convscope.errors import RequestError


def test_a_device_that_is_not_there_is_refused():
    assert choose_device("cpu") == torch.device("cpu")
    if not torch.cuda.is_available():
        with pytest.raises(RequestError, match=r"finds no cuda device .* Try `device='auto'`"):
            choose_device("cuda")
    with pytest.raises(RequestError, match="Unknown device 'tpu'"):
        choose_device("tpu")


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("auto", "cuda"), ("cuda", "cuda"), ("gpu", "cuda"), ("GPU", "cuda"), ("0", "cuda:0"),
        ("1", "cuda:1"), ("cuda:1", "cuda:1"), ("gpu:1", "cuda:1"), (" CPU", "cpu"), (1, "cuda:1"),
        (torch.device("cuda:1"), "cuda:1"),
    ],
)  # fmt: skip
def test_a_gpu_is_chosen_by_its_number(monkeypatch, name, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert str(choose_device(name)) == device


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("2", "There is no device cuda:2; PyTorch finds 2"), ("cuda:7", "no device cuda:7"),
        ("0,1", "on one device, not on 0,1"), ("cuda:", "Unknown device"), ("-1", "Unknown device"),
        ("cuda:x", "Unknown device 'cuda:x'"), ("npu:0", "Unknown device 'npu:0'"),
    ],
)  # fmt: skip
def test_a_device_that_cannot_be_meant_is_refused(monkeypatch, name, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(RequestError, match=message):
        choose_device(name)


def test_gpu_is_mps_where_there_is_no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert [choose_device(name).type for name in ("auto", "gpu")] == ["mps", "mps"]


def test_threads_are_given_back_after_a_failure_too():
    before = torch.get_num_threads()
    seen = []
    with pytest.raises(ZeroDivisionError), threads_set(before + 1):
        seen.append(torch.get_num_threads() / (torch.get_num_threads() - before - 1))
    assert torch.get_num_threads() == before
    assert not seen  # the division failed because the threads were set


FAULTS = """
import resource, torch
from convscope.device import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        many = [torch.zeros(500_000) for _ in range(4)]
        del many
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
if keep_freed_memory():
    faults()
    print(faults())
else:
    print("other libc")
"""


def test_freed_memory_is_reused_without_page_faults():
    done = subprocess.run(
        [sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True
    )
    if done.stdout.strip() == "other libc":
        pytest.skip("the setting is glibc's")
    assert int(done.stdout) < 500  # 50 times 4 arrays of 488 pages would be 97,600


HEAPS = """
import ctypes, sys, threading
from convscope.device import share_one_heap
if sys.argv[1] == "shared" and not share_one_heap():
    sys.exit("other libc")
libc = ctypes.CDLL("libc.so.6")
thread = threading.Thread(target=lambda: libc.malloc(1000))
thread.start()
thread.join()
libc.malloc_stats()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the setting is glibc's")
@pytest.mark.parametrize(("way", "is_one"), [("shared", True), ("default", False)])
def test_threads_allocate_from_one_heap(way, is_one):
    done = subprocess.run(
        [sys.executable, "-c", HEAPS, way], capture_output=True, text=True, check=False
    )
    if "Arena 0" not in done.stderr:
        pytest.skip("the setting is glibc's")
    assert ("Arena 1" not in done.stderr) == is_one

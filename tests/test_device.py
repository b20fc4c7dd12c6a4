"""Devices by name, threads as found, and memory that is kept."""

import subprocess
import sys

import pytest
import torch

from convscope.device import choose_device, threads_set
from convscope.errors import RequestError


def test_a_device_that_is_not_there_is_refused():
    assert choose_device("cpu") == torch.device("cpu")
    if not torch.cuda.is_available():
        with pytest.raises(RequestError, match="finds no cuda"):
            choose_device("cuda")
    with pytest.raises(RequestError, match="no device 'tpu'"):
        choose_device("tpu")


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

"""Free memory is the least that the system, a container and `ulimit` leave."""

import pytest

from convscope.memory import free_memory, is_out_of_memory, least_available
from tests.forked import FORKS
from tests.limits import limit_memory, needs_limits


def machine(root, *, available=None, maximum=None, current=None):
    """The files by which Linux describes memory, below `root`; available in KiB."""
    files = {
        "proc/meminfo": available and f"MemTotal: 32000000 kB\nMemAvailable:  {available} kB\n",
        "sys/fs/cgroup/memory.max": maximum and f"{maximum}\n",
        "sys/fs/cgroup/memory.current": current and f"{current}\n",
    }
    for name, text in files.items():
        if text:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (dict(available=8_000_000), 8_192_000_000),
        (dict(available=8_000_000, maximum=3_000_000_000, current=1_000_000_000), 2_000_000_000),
        (dict(available=1_000_000, maximum=3_000_000_000, current=1_000_000_000), 1_024_000_000),
        (dict(available=8_000_000, maximum="max", current=1_000_000_000), 8_192_000_000),
        (dict(available=8_000_000, maximum=1_000_000_000, current=1_500_000_000), 0),
        (dict(maximum=3_000_000_000, current=2_900_000_000), 100_000_000),
        ({}, 4 << 30),
    ],
    ids=[
        *("no container", "a container's limit less what it uses", "the system has less"),
        *("a container without a limit", "a container over its limit", "no meminfo", "nothing"),
    ],
)
def test_free_memory_is_what_system_and_container_leave(tmp_path, files, expected):
    assert free_memory(machine(tmp_path, **files)) == expected


def test_free_memory_of_this_machine_is_plausible():
    assert 10**8 < free_memory() < 10**14


def test_the_groups_around_a_process_count_and_cached_files_do_not(tmp_path):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/user.slice/training.scope\n")
    inner = tmp_path / "sys/fs/cgroup/user.slice/training.scope"
    inner.mkdir(parents=True)
    for folder, maximum in ((inner, "max"), (inner.parent, "5000")):
        (folder / "memory.max").write_text(f"{maximum}\n")
        (folder / "memory.current").write_text("4000\n")
        (folder / "memory.stat").write_text("anon 3300\ninactive_file 700\n")
    assert free_memory(tmp_path) == 1700


def test_groups_of_the_first_version_count(tmp_path):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("9:cpu,cpuacct:/\n7:memory:/jobs/5\n")
    job = tmp_path / "sys/fs/cgroup/memory/jobs/5"
    job.mkdir(parents=True)
    (job / "memory.limit_in_bytes").write_text("9000\n")
    (job / "memory.usage_in_bytes").write_text("2000\n")
    assert free_memory(tmp_path) == 7000


def has_fifty_megabytes():
    limit_memory(50 << 20)
    found = least_available()
    assert 40 << 20 < found.bytes <= 50 << 20
    assert found.limit == "left by `ulimit -v`"
    assert found.is_enforced


@needs_limits
def test_a_limit_of_the_shell_counts():
    process = FORKS.Process(target=has_fifty_megabytes)
    process.start()
    process.join()
    assert process.exitcode == 0


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ..."),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("could not create a primitive"),
    ],
)
def test_what_lacks_memory_is_known_by_its_words(error):
    assert is_out_of_memory(error)
    assert not is_out_of_memory(ValueError(str(error)))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))

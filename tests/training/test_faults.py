"""A disk that refuses a system call, and a kill at one: the old state stays, and resume works.

By strace, in processes of their own: the failures are enumerated, at call 1, 2, 3, ...
"""

import itertools
import signal

import pytest

import convscope
from convscope.runs.live_files import Live
from convscope.runs.tensor_file import load_tensors
from tests.repetition import first_fast
from tests.simd import WIDTHS
from tests.strace import trace, why_not
from tests.training.small import assert_same_bits

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

ENGINES = ["torch", "lanes"]
WORDS = ["train", "--epochs", 2, "--batch-size", 630, "--threads", 1, "--checkpoint-seconds", 0]
FAULTS = {
    "write": ["ENOSPC", "EIO", "EDQUOT", "EFBIG"],
    "fsync": ["EIO", "ENOSPC", "EDQUOT"],
    "rename": ["EIO", "EACCES", "EROFS", "ENOSPC"],
    "openat": ["EACCES", "EROFS", "ENOSPC", "EDQUOT", "EIO"],
    "mkdir": ["EACCES", "EROFS", "ENOSPC"],
    "unlink": ["EACCES", "EROFS", "EIO"],
}
STRIDES = {"write": 5, "openat": 5, "fsync": 1, "rename": 1, "mkdir": 1, "unlink": 1}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """A whole run for each engine. Look, do not write."""
    runs = {}

    def run(engine):
        if engine == "lanes":
            pytest.importorskip("llvmlite")
        if engine not in runs:
            folder = tmp_path_factory.mktemp(engine)
            done = trace(*words_of(engine, folder), calls="none", inject="", log=folder / "log")
            assert done.status == 0, done.stderr
            runs[engine] = folder / "run"
        return runs[engine]

    return run


def words_of(engine, folder):
    width = ["--simd-width", WIDTHS[-1]] if engine == "lanes" else []
    return [*WORDS, "--engine", engine, *width, "--out", folder / "run"]


def go_on(folder, engine):
    """Resume, or begin again where there was no run yet."""
    run = folder / "run"
    if (run / "config.toml").exists():
        convscope.resume(run, progress=False)
    else:
        done = trace(*words_of(engine, folder), calls="none", inject="", log=folder / "again")
        assert done.status == 0, done.stderr


def check_states(run):
    """Every saved state is whole, and what is said to be saved is."""
    states = [*(run / "last").glob("step-*")]
    for state in states:
        load_tensors(state)
    said = (Live(run).read_now() or {}).get("saved_step", 0)
    assert said <= max((int(state.stem[5:]) for state in states), default=0)


def check_fault(folder, expected, engine, call, number):
    """Let call `number` fail in a training; whether it was reached."""
    errors = FAULTS[call]
    error = errors[number // STRIDES[call] % len(errors)]
    folder.mkdir()
    inject = f"{call}:error={error}:when={number}"
    done = trace(*words_of(engine, folder), calls=call, inject=inject, log=folder / "log")
    what, run = f"{inject} on {done.files()}: {done.stderr}", folder / "run"
    if not done.hit:
        assert done.status == 0, what
        return False
    assert "Traceback" not in done.stderr, what
    assert "bug in convscope" not in done.stderr, what
    if done.status:
        assert done.status == 1, what
        assert done.stderr.count("\n") <= 1, what
    if done.status and any(str(run) in path for path in done.files()):
        assert str(run) in done.stderr, what
    check_states(run)
    if call != "unlink":
        assert not [*run.rglob("*.tmp")], what
    if done.status == 0:
        assert_same_bits(run, expected)
    go_on(folder, engine)
    assert_same_bits(run, expected)
    assert (run / "report.html").exists(), what
    return True


@pytest.mark.parametrize(
    ("call", "number"), first_fast(1, [("write", 60), ("fsync", 15), ("rename", 20)])
)
def test_a_refused_call_loses_nothing(tmp_path, expected, call, number):
    assert check_fault(tmp_path / "a", expected("torch"), "torch", call, number)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("call", FAULTS)
def test_each_refused_call_loses_nothing(tmp_path, expected, engine, call):
    expected, reached = expected(engine), 0
    for number in itertools.count(1, STRIDES[call]):
        if not check_fault(tmp_path / str(number), expected, engine, call, number):
            break
        reached += 1
    print(f"{engine}, {call}: {reached} refused calls")  # noqa: T201
    assert reached >= 3


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("call", ["write", "openat", "mkdir", "unlink"])
def test_a_kill_at_each_call_changes_no_bit(tmp_path, expected, engine, call):
    """At fsync and rename, see test_kills.py."""
    expected, killed = expected(engine), 0
    for number in itertools.count(1, STRIDES[call]):
        folder = tmp_path / str(number)
        folder.mkdir()
        inject = f"{call}:signal=KILL:when={number}"
        done = trace(*words_of(engine, folder), calls=call, inject=inject, log=folder / "log")
        if done.status == 0:
            break
        assert done.status == -signal.SIGKILL
        check_states(folder / "run")
        go_on(folder, engine)
        assert_same_bits(folder / "run", expected)
        killed += 1
    print(f"{engine}, {call}: {killed} kills")  # noqa: T201
    assert killed >= 3

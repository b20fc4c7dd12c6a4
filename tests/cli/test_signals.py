"""Signals at any moment: the status of the first, one sentence, nothing half written.

A process sends them to itself at a chosen call, so that every moment is met.
"""

import contextlib
import itertools
import os
import random
import select
import signal
import subprocess
import sys
import time
from functools import partial
from importlib import import_module

import pytest
from PIL import Image

import convscope
from convscope.errors import Interrupted
from convscope.runs.live_files import Live
from convscope.training.callbacks import interrupt
from tests.forked import Forked
from tests.repetition import first_fast, sample_fast
from tests.training.small import Act, assert_same_bits

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
PAIRS = [(INT, INT), (TERM, INT), (INT, TERM), (TERM, TERM), (HUP, HUP)]
WORDS = ["train", "--epochs", 2, "--batch-size", 630, "--threads", 1, "--checkpoint-seconds", 0]

MOMENTS = {
    "opening the data": ("convscope.training.start:open_source", 1),
    "reading images": ("convscope.training.prepare:load_images", 1),
    "building the network": ("convscope.training.start:assemble", 1),
    "writing the start": ("convscope.runs.folder:Run.write", 2),
    "between the start and the first save": ("convscope.training.finish:describe", 1),
    "before the first save": ("convscope.training.callbacks.checkpoint:pack", 1),
    "in the first save": ("convscope.runs.folder:save_tensors", 1),
    "in a step": ("convscope.training.executors.eager:EagerExecutor.step", 2),
    "in a later save": ("convscope.runs.folder:save_tensors", 3),
    "in a validation": ("convscope.training.assemble:compute_metrics", 1),
    "before the test": ("convscope.training.finish:load_state", 1),
    "in the test": ("convscope.training.finish:compute_metrics", 1),
    "in the report": ("convscope.training.finish:report_page", 1),
    "writing the report": ("convscope.training.finish:TrainingResult.read", 1),
    "telling the result": ("convscope.cli.terminal:print_result", 1),
}


def in_place_of(place, number, act):
    """Call `act` before call `number` of a function `module:name`."""
    module, _, name = place.partition(":")
    *owners, name = name.split(".")
    owner = import_module(module)
    for one in owners:
        owner = getattr(owner, one)
    real, count = getattr(owner, name), itertools.count(1)
    is_bound = isinstance(vars(owner).get(name), classmethod | staticmethod)

    def counted(*words, **more):
        if next(count) == number:
            act()
        return real(*words, **more)

    setattr(owner, name, staticmethod(counted) if is_bound else counted)


def send(signals):
    for number in signals:
        os.kill(os.getpid(), number)


def prepare(moments, *, echo=0.0):
    """In the process: send signals at each of the moments `(place, number, signals)`."""
    signal.signal(HUP, signal.SIG_DFL)  # these tests may run under nohup, which ignores it
    interrupt.ECHO_SECONDS = echo
    for place, number, signals in moments:
        in_place_of(place, number, partial(send, signals))


def ended(*words, moments, echo=0.0, cwd=None):
    """A command that sends itself signals, once it has ended."""
    process = Forked(*words, cwd=cwd, prepare=partial(prepare, moments, echo=echo))
    process.wait(120)
    return process


def check_last_words(process, first):
    assert process.poll() == 128 + first, process.stderr + process.stdout
    assert process.stderr.startswith("convscope: ")
    assert process.stderr.count("\n") == 1, process.stderr
    assert process.stderr.endswith(".\n") or process.stderr.endswith("`.\n")


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    done = ended(*WORDS, "--engine", "torch", "--out", out, moments=[])
    assert done.poll() == 0, done.stderr
    return out


def check_can_go_on(out, words, expected):
    """Nothing is half written, and the run comes to the bits of one that was not disturbed."""
    assert not list(out.parent.rglob("*.tmp"))
    if (out / "config.toml").exists():
        convscope.resume(out, progress=False)
    else:
        assert not out.exists()
        assert ended(*words, moments=[]).poll() == 0
    assert_same_bits(out, expected)
    assert (out / "report.html").exists()


def check_moment(tmp_path, expected, moment, pair):
    place, number = MOMENTS[moment]
    words = [*WORDS, "--engine", "torch", "--out", tmp_path / "run"]
    process = ended(*words, moments=[(place, number, pair)])
    check_last_words(process, pair[0])
    check_can_go_on(tmp_path / "run", words, expected)


@pytest.mark.parametrize(
    ("moment", "pair"),
    sample_fast(3, [(moment, PAIRS[n % len(PAIRS)]) for n, moment in enumerate(MOMENTS)]),
)
def test_two_signals_at_any_moment(tmp_path, expected, moment, pair):
    check_moment(tmp_path, expected, moment, pair)


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("pair", PAIRS)
def test_every_pair_of_signals_at_any_moment(tmp_path, expected, moment, pair):
    check_moment(tmp_path, expected, moment, pair)


def test_what_a_program_passes_on_twice_is_one_signal(tmp_path):
    """As `timeout` does. The stop waits for its safe point, where everything is saved."""
    words = [*WORDS[:-1], 100, "--engine", "torch", "--out", tmp_path / "run"]
    step, number = MOMENTS["in a step"]
    process = ended(*words, moments=[(step, number, (TERM, TERM, INT))], echo=60.0)
    check_last_words(process, TERM)
    assert "after step 2; everything is saved" in process.stderr


def test_a_signal_after_the_last_safe_point_is_told_of_a_complete_run(tmp_path, expected):
    words = [*WORDS, "--engine", "torch", "--out", tmp_path / "run"]
    process = ended(*words, moments=[(*MOMENTS["in the report"], [INT])])
    check_last_words(process, INT)
    assert "is complete" in process.stderr
    assert_same_bits(tmp_path / "run", expected)
    assert (tmp_path / "run/report.html").exists()


@pytest.mark.parametrize(
    "moment", first_fast(1, ["opening the data", "reading images", "writing the start"])
)
def test_a_second_signal_while_the_first_is_carried_out_is_silent(tmp_path, moment):
    out = tmp_path / "run"
    moments = [(*MOMENTS[moment], [INT]), ("convscope.signals:_line", 1, [TERM])]
    check_last_words(ended(*WORDS, "--out", out, moments=moments), INT)
    assert not out.exists()


@pytest.mark.parametrize(
    "place",
    first_fast(
        1, ["signals:print_error", "runs.folder:Run.write_state", "runs.live_files:Live.write_now"]
    ),
)
def test_a_second_signal_while_training_stops(tmp_path, expected, place):
    words = [*WORDS, "--engine", "torch", "--out", tmp_path / "run"]
    number = 1 if "signals" in place else 3
    moments = [(*MOMENTS["in a step"], [TERM]), (f"convscope.{place}", number, [INT])]
    check_last_words(ended(*words, moments=moments), TERM)
    check_can_go_on(tmp_path / "run", words, expected)


@pytest.mark.parametrize(
    "place", first_fast(1, ["training.resumption:resume_run", "training.resumption:rebuild"])
)
def test_a_signal_while_a_resume_begins(tmp_path, expected, place):
    words = [*WORDS, "--engine", "torch", "--out", tmp_path / "run"]
    check_last_words(ended(*words, moments=[(*MOMENTS["in a later save"], [INT, INT])]), INT)
    again = ended("resume", tmp_path / "run", moments=[(f"convscope.{place}", 1, [TERM])])
    check_last_words(again, TERM)
    check_can_go_on(tmp_path / "run", words, expected)


VERBS = {
    "evaluate": "evaluation.evaluate:evaluate",
    "predict": "evaluation.predict:predict",
    "explain": "cli.explain:explain_recorded",
    "synthesize": "synthesis.api:synthesize_opened",
    "attribute": "cli.attribute:attribute_opened",
    "summary": "cli.summary:summarize_any",
    "models": "cli.models:list_models",
    "geometry": "cli.geometry:compute",
    "lab": "cli.lab:make_server",
}


def words_of(verb, run):
    picture = run.parent / "picture.png"
    if not picture.exists():
        Image.new("L", (28, 28)).save(picture)
    return [
        verb,
        *{
            "evaluate": [run],
            "predict": [run, picture],
            "explain": [run, picture],
            "synthesize": [run, "0", "--steps", 1, "-o", run.parent / "picture.html"],
            "attribute": [run, picture],
            "summary": ["lenet5"],
            "models": [],
            "geometry": [7, "--kernel", 3],
            "lab": ["lenet5", "--no-open"],
        }[verb],
    ]


@pytest.mark.parametrize("verb", first_fast(4, VERBS))
def test_ctrl_c_ends_every_other_verb_in_a_sentence(expected, verb):
    place = f"convscope.{VERBS[verb]}"
    process = ended(*words_of(verb, expected), moments=[(place, 1, [INT])])
    check_last_words(process, INT)
    assert process.stderr == "convscope: Interrupted by SIGINT.\n"


AT_IMPORT = """
import os, signal, sys
from importlib.abc import MetaPathFinder

class Interrupting(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), {number})

signal.signal(signal.SIGHUP, signal.SIG_DFL)
sys.meta_path.insert(0, Interrupting())
sys.argv = ["convscope", "train", "--out", {out!r}]
from convscope.__main__ import main
main()
"""
IMPORTED = ["cyclopts", "convscope.cli.train", "torch", "torch._C", "torch.utils._pytree"]


def check_at_import(tmp_path, name, number):
    code = AT_IMPORT.format(name=name, number=int(number), out=str(tmp_path / "run"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 128 + number, done.stderr
    assert done.stderr == f"convscope: Interrupted by {number.name}.\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("name", "number"), first_fast(1, [("cyclopts", INT), ("torch._C", TERM)]))
def test_a_signal_during_an_import_ends_in_a_sentence(tmp_path, name, number):
    check_at_import(tmp_path, name, number)


@pytest.mark.slow
@pytest.mark.parametrize("name", IMPORTED)
@pytest.mark.parametrize("number", [INT, TERM, HUP])
def test_every_signal_during_imports_ends_in_a_sentence(tmp_path, name, number):
    check_at_import(tmp_path, name, number)


def test_a_reader_that_goes_away_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "convscope", "geometry", "7", "--kernel", "3"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_two_signals_at_random_moments_of_a_real_process(tmp_path, expected, seed):
    random_numbers = random.Random(seed)
    words = [*map(str, WORDS), "--engine", "torch", "--out", str(tmp_path / "run")]
    command = [sys.executable, "-m", "convscope", *words]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with subprocess.Popen(command, **pipes) as process:
        first, second = random_numbers.choice(PAIRS)
        time.sleep(0.3 + random_numbers.uniform(0, 8))
        process.send_signal(first)
        time.sleep(random_numbers.choice([0, 0.01, 0.2, 1.2]))
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(second)
        stdout, stderr = process.communicate(timeout=120)
    assert "Traceback" not in stderr + stdout
    if process.returncode:  # of two that arrive together, Python handles the lower one first
        assert process.returncode in {128 + first, 128 + second}
        assert stderr.count("\n") == 1, stderr
    check_can_go_on(tmp_path / "run", words, expected)


@pytest.mark.parametrize(
    ("operation", "number"),
    first_fast(2, [("replace", 3), ("fsync", 14), ("fsync", 11), ("replace", 9)]),
)
def test_two_signals_inside_a_write(tmp_path, expected, operation, number):
    check_write(tmp_path, expected, operation, number)


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["replace", "fsync", "unlink"])
def test_two_signals_inside_each_write(tmp_path, expected, operation):
    ends, number = [], 1
    while not ends or ends[-1] != 0:
        ends.append(check_write(tmp_path / str(number), expected, operation, number))
        number += 1
    assert len(ends) > {"replace": 12, "fsync": 12, "unlink": 2}[operation]


def check_write(folder, expected, operation, number):
    """Both signals before call `number` of a function of os; the exit status."""
    pair = PAIRS[number % len(PAIRS)]
    words = [*WORDS, "--engine", "torch", "--out", folder / "run"]
    folder.mkdir(exist_ok=True)
    process = ended(*words, moments=[(f"os:{operation}", number, pair)])
    if process.poll():
        check_last_words(process, pair[0])
    check_can_go_on(folder / "run", words, expected)
    return process.poll()


def test_two_signals_inside_a_write_of_a_file_that_was_asked_for(tmp_path):
    out = tmp_path / "net.svg"
    for operation in ("fsync", "replace"):
        process = ended("summary", "lenet5", "--svg", out, moments=[(f"os:{operation}", 1, [INT])])
        check_last_words(process, INT)
        assert not [*tmp_path.iterdir()]


def in_terminal(name, moments=()):
    """In the process: have a terminal, which controls it."""
    prepare(moments)
    terminal = os.open(name, os.O_RDWR)
    for number in range(3):
        os.dup2(terminal, number)
    os.close(terminal)
    for stream in ("stdout", "stderr"):
        number = getattr(sys, stream).fileno()
        setattr(sys, stream, os.fdopen(number, "w", closefd=False))


@contextlib.contextmanager
def in_a_terminal(out, moments=()):
    """A long training with a terminal of its own: the process, the other end, what was shown."""
    (ours, theirs), shown = os.openpty(), bytearray()
    words = ["train", "--epochs", 100_000, "--threads", 1, "--engine", "torch", "--out", out]
    process = Forked(*words, prepare=partial(in_terminal, os.ttyname(theirs), moments))
    until = time.monotonic() + 60
    while not (out / "metrics.jsonl").exists() and time.monotonic() < until:
        if select.select([ours], [], [], 0.05)[0]:
            shown += os.read(ours, 10_000)
        elif process.poll() is not None:
            break
    os.close(theirs)
    try:
        yield process, ours, shown
    finally:
        process.signal(signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.close(ours)


def test_a_terminal_that_is_closed_stops_a_training_with_everything_saved(tmp_path):
    with in_a_terminal(tmp_path / "run") as (process, ours, _shown):
        os.close(ours)
        assert process.wait(60) == 128 + HUP
    now = Live(tmp_path / "run").read_now()
    assert now["state"] == "stopped"
    assert now["saved_step"] == now["step"] > 0
    assert not [*tmp_path.rglob("*.tmp")]


def test_a_second_signal_gives_the_terminal_its_cursor_back(tmp_path):
    moment = ("convscope.training.executors.eager:EagerExecutor.step", 30, (INT, INT))
    with in_a_terminal(tmp_path / "run", [moment]) as (process, ours, shown):
        with contextlib.suppress(OSError):  # which is how a terminal ends
            while data := os.read(ours, 10_000):
                shown.extend(data)
        assert process.wait(60) == 130
    assert b"Stopped at once" in shown
    assert shown.count(b"convscope: ") == 1
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l")


def test_in_python_a_second_signal_is_an_exception(tmp_path, monkeypatch, expected):
    monkeypatch.setattr(interrupt, "ECHO_SECONDS", 0.0)
    settings = dict(epochs=2, batch_size=630, threads=1, checkpoint_seconds=0.0, engine="torch")
    before = signal.getsignal(INT)
    with pytest.raises(Interrupted, match="Stopped at once; the state after step 2 is") as caught:
        convscope.train(
            out=tmp_path / "run",
            callbacks=[Act((3, partial(send, (TERM, INT))))],
            progress=False,
            **settings,
        )
    assert caught.value.status == 143
    assert signal.getsignal(INT) is before
    check_can_go_on(tmp_path / "run", (), expected)

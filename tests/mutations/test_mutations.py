"""Ten thousand damaged files end in our errors, by their name, or are read as they were meant."""

import random
import sys
import tomllib
from collections import Counter

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")
if sys.platform != "linux":
    pytest.skip("limits of memory and time are Linux's", allow_module_level=True)

from convscope.errors import RequestError
from convscope.runs.folder import Run
from tests.mutations import fuzz, mutate, verbs

QUICK, ALL = range(60), range(10_000, 20_000)
WRITTEN_ONLY = {".lock", "log.txt", "report.html", "watched", "command.json"}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return verbs.make_base(tmp_path_factory.mktemp("mutations"))


def test_mutations_end_in_our_errors(base, tmp_path):
    assert faults_of(QUICK, base, tmp_path) == []


@pytest.mark.slow
def test_ten_thousand_mutations_end_in_our_errors(base, tmp_path):
    assert faults_of(ALL, base, tmp_path) == []


def faults_of(seeds, base, scratch):
    outcomes, faults = Counter(), []
    for seed in seeds:
        found, more = fuzz.run(base, scratch, seed, most_verbs=1)
        outcomes += found
        faults += more
    assert min(outcomes["done"], outcomes["refused"]) > len(seeds) / 10, outcomes
    return faults


def test_every_file_of_a_run_is_mutated(base):
    files = {path.name for path in (base / "done").rglob("*") if path.is_file()} - WRITTEN_ONLY
    targets = {target.path.rpartition("/")[2] for target in fuzz.TARGETS}
    assert {name for name in files if not name.startswith(("step-", "weights-"))} <= targets
    assert {"newest", "weights-0.safetensors"} <= targets


def test_a_mutation_follows_from_its_seed(base):
    def contents(seed):
        target = fuzz.Target("done/card.json", mutate.json_text, ())
        return fuzz.mutated(target, (base / target.path).read_bytes(), random.Random(seed))

    assert contents(3) == contents(3) != contents(4)


def leaves(error):
    def verb(_folder):
        raise error

    return verb


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KeyError("model"), "raw: KeyError"),
        (RecursionError(), "raw: RecursionError"),
        (MemoryError(), "raw: MemoryError"),
        (UserWarning("spam"), "raw: UserWarning"),
        (TimeoutError(), "raw: TimeoutError"),
        (RequestError("Something is wrong."), "unnamed"),
        (RequestError("card.json is wrong."), "refused"),
    ],
)
def test_what_counts_as_a_fault(tmp_path, error, kind):
    target = fuzz.Target("done/card.json", mutate.json_text, ())
    assert fuzz.judged(leaves(error), tmp_path, target)[0].startswith(kind)


def test_a_reader_that_trusts_its_file_is_found(base, tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "read_config", lambda run: tomllib.loads(run.read("config.toml")))
    configs = [target for target in fuzz.TARGETS if target.path == "done/config.toml"]
    monkeypatch.setattr(fuzz, "TARGETS", configs)
    found = [fault for seed in range(30) for fault in fuzz.run(base, tmp_path, seed)[1]]
    assert any(fault.kind.startswith("raw") for fault in found)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("config.toml", 'model = "lenet5"\n', "predict"),
        ("card.json", '{"version": 1, "version": 1}', "summary"),
        ("splits.csv", "key,label,split\nant/0.png,ant,holdout\n", "evaluate"),
        ("network.toml", f"layers = {'[' * 3000}", "resume"),
    ],
)
def test_the_command_line_says_it_in_a_sentence(base, tmp_path, command, file, content, words):
    folder = fuzz.copied(base, tmp_path / "base")
    (folder / "done" / file).write_text(content)
    images = [folder / "data" / "ant" / "0.png"] if words == "predict" else []
    done = command(words, folder / "done", *images, code=2)
    assert file in done.stderr
    assert len(done.stderr.splitlines()) < 8

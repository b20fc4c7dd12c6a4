"""No outlet lets through what a name holds: every verb, on every stream and in every file."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import convscope
from convscope.cli import COMMANDS, main
from convscope.data.split import read_splits
from convscope.data.table import read_table
from convscope.errors import RequestError
from convscope.runs.folder import Run
from convscope.words.csv_text import from_cell
from convscope.words.json_text import originals
from tests.words.hostile import CLASSES, LAYER, MARK, ODD, check, linux, make_data

pytestmark = linux


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def run(data) -> Path:
    """A run whose folder, data, classes and files have such names; one image is no image."""
    bad = data / CLASSES[0] / f"bad{ODD}.png"
    bad.write_text("no image")
    out = data.parent / f"run{ODD}"
    with pytest.raises(SystemExit) as done:
        main(["train", str(data), "--epochs", "1", "--out", str(out), "--threads", "1",
              "--max-corrupt-fraction", "0.5"])  # fmt: skip
    assert done.value.code == 0
    return out


@pytest.fixture
def net() -> nn.Module:
    net = nn.Sequential()
    net.add_module(LAYER, nn.Conv2d(1, 2, 3))
    net.add_module(f"flat{ODD}", nn.Flatten())
    net.add_module(f"fc{ODD}", nn.Linear(2 * 10 * 10, 3))
    return net


@pytest.fixture
def verb(capfdbinary):
    """Run a command line in this process; what it wrote on both streams."""

    def call(*words: object, status: int = 0) -> tuple[str, str]:
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as done:
            main([str(word) for word in words])
        out, err = map(check, capfdbinary.readouterr())
        assert done.value.code == status, err
        return out, err

    return call


CASES = {
    "train": ["{data}", "--epochs", "1", "--out", "{out}", "--max-corrupt-fraction", "0.5"],
    "lr-find": ["{data}", "-o", "{out}.svg", "--max-corrupt-fraction", "0.5"],
    "resume": ["{run}", "--epochs", "2"],
    "tune": ["{data}", "--search", "batch_size=8,16", "--trials", "2", "--epochs", "1",
             "--out", "{out}", "--max-corrupt-fraction", "0.5"],
    "evaluate": ["{run}", "{data}", "--csv", "{out}.csv", "--html", "{out}.html",
                 "--report", "{out}"],
    "calibrate": ["{run}", "{data}"],
    "decide": ["{run}", "{data}", "--conformal", "0.5"],
    "compare": ["{run}", "{run}"],  # refused
    "robustness": ["{run}", "{data}", "--corruptions", "fog", "--max-images", "4"],
    "export": ["{run}", "-o", "{out}.exported"],
    "predict": ["{run}", "{data}"],
    "check": ["{data}", "--html", "{out}.html"],
    "data": ["{data}", "--show-augmented", "{out}.png"],
    "explain": ["{run}", "{image}"],
    "filters": ["{run}", "-o", "{out}.html"],
    "maps": ["{run}", "{image}", "-o", "{out}.html"],
    "patches": ["{run}", "{data}", "-o", "{out}.html"],
    "study": ["activation", "{data}/{odd}", "-o", "{out}"],
    "embed": ["{run}", "{data}", "-o", "{out}.html"],
    "probes": ["{run}"],
    "hierarchy": ["{run}", "{data}", "--steps", "1", "-o", "{out}.html"],
    "history": ["ilsvrc", "--run", "{run}", "-o", "{out}.svg"],
    "localize": ["{run}", "{data}", "--boxes", "{odd}"],
    "synthesize": ["{run}", "0", "--steps", "1", "-o", "{out}.html"],
    "attribute": ["{run}", "{image}", "--random-orders", "2", "-o", "{out}.html"],
    "summary": ["{run}"],
    "intervene": ["{run}", "{image}", "--set", "{odd}[0]=0"],
    "prune": ["{run}", "-o", "{out}.pruned", "--similarity", "0.8", "--epochs", "1"],
    "redundancy": ["{run}", "-o", "{out}.html"],
    "models": ["*{odd}*"],
    "recipes": ["{odd}"],
    "geometry": ["{odd}"],
    "lab": ["{out}"],
    "course": ["-o", "{run}"],
    "serve": ["{out}"],
}  # fmt: skip
FAILS = {
    "compare",
    "history",
    "localize",
    "study",
    "models",
    "recipes",
    "geometry",
    "intervene",
    "lab",
    "course",
    "serve",
    "redundancy",
}


def test_there_is_a_case_for_every_command():
    assert CASES.keys() == COMMANDS.keys()


@pytest.mark.parametrize("command", [name for name in CASES if name != "resume"])
@pytest.mark.parametrize("json_too", [False, True])
def test_a_command_writes_nothing_raw(verb, run, data, tmp_path, command, json_too):
    if command == "tune":
        pytest.importorskip("optuna")
    image = next((data / CLASSES[1]).iterdir())
    places = {"run": run, "data": data, "image": image, "out": tmp_path / ODD, "odd": ODD}
    words = [word.format(**places) for word in CASES[command]]
    out, err = verb(
        command, *words, *["--json"][: json_too and command not in ("lab", "serve")],
        status=2 if command in FAILS else 0,
    )  # fmt: skip
    assert out or err
    if json_too and out:
        json.loads(out.splitlines()[-1])
    for file in tmp_path.rglob("*"):
        check_file(file)


@pytest.mark.parametrize(
    "words",
    [
        ["train", "{odd}"],
        ["train", "{data}", "--model", "{odd}"],
        ["train", "{data}", "--{odd}", "1"],
        ["resume", "{odd}"],
        ["evaluate", "{run}", "{odd}"],
        ["evaluate", "{run}", "--class-names", "{odd},b"],
        ["predict", "{run}", "{odd}"],
        ["predict", "{run}", "{bad}"],
        ["explain", "{run}", "{image}", "--at", "{odd}[0]"],
        ["explain", "--grid", "{odd}"],
        ["attribute", "{run}", "{image}", "--target", "{odd}"],
        ["summary", "{odd}"],
        ["summary", "{run}", "--input-size", "{odd}"],
        ["{odd}"],
    ],
)
def test_an_error_writes_nothing_raw(verb, run, data, words):
    bad = data / CLASSES[0] / f"bad{ODD}.png"
    image = next((data / CLASSES[1]).iterdir())
    places = {"run": run, "data": data, "odd": ODD, "bad": bad, "image": image}
    status = 1 if "{bad}" in words else 2
    _, err = verb(*(word.format(**places) for word in words), status=status)
    assert MARK in err or {"{bad}", "{odd},b"} & {*words}


TEXTS = {".json", ".jsonl", ".csv", ".txt", ".html", ".toml"}


def check_file(file: Path) -> None:
    """Check a file of text that a verb wrote. TOML keeps names as they are."""
    if file.is_file() and file.suffix in TEXTS - {".toml"}:
        text = check(file.read_bytes())
        if file.suffix == ".json":
            json.loads(text, parse_constant=pytest.fail)


def test_no_file_of_a_run_holds_anything_raw(run):
    files = [file for file in run.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} >= TEXTS
    for file in files:
        check_file(file)


def test_a_run_gives_every_name_back(run, data):
    assert Run.open(run).read_card().classes == tuple(sorted(CLASSES))
    names = {str(file.relative_to(data)) for file in data.rglob("*.png")}
    splits = read_splits(Run.open(run).read("splits.csv"))
    assert splits.keys() == names
    assert {label for label, _ in splits.values()} == set(CLASSES)
    _, problem = csv.reader((run / "problems.csv").read_text("utf-8").splitlines())
    assert [from_cell(problem[0])] == [name for name, (_, split) in splits.items() if not split]


def test_a_run_goes_on(verb, run):
    verb("resume", run, "--epochs", "2")
    assert len(Run.open(run).read_metrics()) == 2


def test_predictions_label_a_training(verb, run, data):
    """`predict --format csv` is a table to train on, with the same files and classes."""
    out, _ = verb("predict", run, data, "--format", "csv")
    table = data.parent / "labels.csv"
    table.write_text(out, "utf-8")
    rows = list(csv.DictReader(out.splitlines()))
    answers, _ = verb("predict", run, data, "--json")
    wanted = originals(json.loads(answers))["predictions"]
    read = read_table(table, for_training=False)
    found = {os.fspath(read.images.path(n)): read.classes[read.labels[n]] for n in range(len(read))}
    assert found == {one["path"]: one["label"] for one in wanted}
    assert len(rows) == len(found) == 30
    assert all(Path(path).is_file() for path in found)


def test_the_python_interface_shows_nothing_raw(run, data, net):
    image = next((data / CLASSES[1]).iterdir())
    results = [
        convscope.evaluate(run),
        convscope.predict(run, data),
        convscope.summary(net, (1, 12, 12)),
        convscope.explain(run, image),
        convscope.evaluate(run).metrics,
    ]
    recording = convscope.record(net, torch.zeros(1, 1, 12, 12))
    last = recording[recording.output].name
    results += [recording, recording[last], recording.explain(last, 1)]
    results += [recording.trace_back(last, 1, top=2, depth=2)]
    for result in results:
        check(str(result))
        check(repr(result))
        if hasattr(result, "_repr_html_"):
            check(result._repr_html_())
    check(results[2].to_svg())
    for form in ("markdown", "latex", "html"):
        check(getattr(results[2].table, f"to_{form}")())


def test_a_network_of_such_layers_is_trained(data, net, tmp_path, capfdbinary):
    done = convscope.train(
        data, model=net, epochs=1, out=tmp_path / ODD, input_size=12, max_corrupt_fraction=0.5,
        progress=True,
    )  # fmt: skip
    check(repr(done))
    check(done._repr_html_())
    for written in capfdbinary.readouterr():
        check(written)
    for file in tmp_path.rglob("*"):
        check_file(file)


def test_a_layer_whose_weights_could_not_be_saved_is_refused_before_training(data, net, tmp_path):
    net.add_module("x\udce9", nn.Linear(3, 3))
    with pytest.raises(RequestError, match=r"'x\\udce9.weight' cannot be saved"):
        convscope.train(data, model=net, epochs=1, out=tmp_path / "run", max_corrupt_fraction=0.5)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("locale", "forms"), [("C", ("table", "csv", "json")), ("C.UTF-8", ("table",))]
)
def test_a_process_with_any_locale_writes_such_names(run, data, locale, forms):
    """In the locale C, standard output has no letters but ASCII."""
    words = [sys.executable, "-m", "convscope", "predict", run, data, "--format"]
    env = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for form in forms:
        done = subprocess.run([*words, form], env=env, capture_output=True, check=True)
        assert MARK in check(done.stdout)
        check(done.stderr)


def test_a_traceback_writes_nothing_raw(data):
    words = [sys.executable, "-m", "convscope", "predict", data / "none", data, "--debug"]
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in check(done.stderr)

"""The command line as a person meets it: what it prints, and how it refuses."""

import csv
import io
import json
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib

import pytest
from PIL import Image

import convscope
from convscope.runs.folder import Run
from tests.conftest import make_image_folder
from tests.forked import Forked


def test_train_tells_what_it_did_and_what_comes_next(shell, tmp_path):
    told = shell("train", "--epochs", 3, "--out", "here", cwd=tmp_path).stdout
    for part in ("61,706 parameters", "epoch   3/3", "Test accuracy", "95% interval", "here"):
        assert part in told
    assert "convscope predict here" in told
    log = (tmp_path / "here" / "log.txt").read_text()
    assert "Test accuracy" in log
    assert "epoch   1/3" in log
    held = {path.name for path in (tmp_path / "here").iterdir()}
    assert held == {
        ".lock", "card.json", "config.toml", "images.safetensors", "last", "live", "log.txt",
        "metrics.jsonl", "model.safetensors", "problems.csv", "report.html", "splits.csv",
        "test.json", "validation.json",
    }  # fmt: skip


def test_json_is_alone_on_standard_output(command, tmp_path, digits_run):
    done = command("train", "--epochs", 1, "--json", cwd=tmp_path)
    facts = json.loads(done.stdout)
    assert set(facts) == {"run", "test", "seconds"}
    assert (tmp_path / facts["run"] / "model.safetensors").exists()
    assert "epoch" in done.stderr
    measured = json.loads(command("evaluate", digits_run, "--json").stdout)
    assert {"top1", "top5", "loss", "images", "classes", "confusion"} <= set(measured)
    assert set(facts["test"]) <= set(measured)


def test_evaluate_prints_the_classes_and_who_was_taken_for_whom(command, digits_run):
    told = command("evaluate", digits_run).stdout
    for part in (
        "top-1",
        "top-5",
        "precision",
        "recall",
        "F1",
        "true \\ predicted",
        "test split of digits",
    ):
        assert part in told


def test_predict_answers_as_a_table_as_csv_and_as_json(command, shell, digits_run, tmp_path):
    Image.new("L", (8, 8), 30).save(tmp_path / "ü [bold].png")
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    table = shell("predict", digits_run, tmp_path)
    assert "ü [bold].png" in table.stdout
    assert "cut.jpg" in table.stderr
    rows = list(
        csv.DictReader(
            io.StringIO(command("predict", digits_run, tmp_path, "--format", "csv").stdout)
        )
    )
    assert list(rows[0]) == [
        "path", "label", "probability", "label_2", "probability_2", "label_3", "probability_3",
    ]  # fmt: skip
    words = ("predict", digits_run, tmp_path, "--format", "csv", "--top")
    (four,) = csv.reader(command(*words, 4).stdout.splitlines()[1:])
    facts = json.loads(command("predict", digits_run, tmp_path, "--json", "--top", 10).stdout)
    ranked = list(facts["predictions"][0]["probabilities"].items())
    assert four[1::2] == [name for name, _ in ranked[:4]]
    assert four[2::2] == [f"{probability:.6f}" for _, probability in ranked[:4]]
    assert command(*words, 1).stdout.splitlines()[0] == "path,label,probability"
    (answer,) = facts["predictions"]
    assert rows[0]["label"] == answer["label"]
    assert len(answer["probabilities"]) == 10
    assert [entry["path"].endswith("cut.jpg") for entry in facts["unreadable"]] == [True]


def test_a_compiler_that_is_not_there_is_told(tmp_path, monkeypatch, shell):
    monkeypatch.setenv("CXX", "/nonexistent")
    words = ("train", "--compile", "--steps", 2, "--out", tmp_path / "run")
    assert "train without --compile" in shell(*words, code=1).stderr


def test_a_config_file_names_the_data(command, tmp_path):
    """Also where a command has the name of a setting, as data has."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "c.toml").write_text('data = "empty"\n')
    result = command("train", "--config", "c.toml", code=2, cwd=tmp_path)
    assert "empty has no images in class folders" in result.stderr


def test_a_config_file_sets_what_flags_do_not(command, tmp_path):
    (tmp_path / "c.toml").write_text('data = "digits"\nepochs = 2\nlr = 0.02\nbatch_size = 100\n')
    command("train", "--config", "c.toml", "--epochs", 1, "--out", "run", cwd=tmp_path)
    config = Run.open(tmp_path / "run").read_config()
    assert (config["epochs"], config["lr"], config["batch_size"]) == (1, 0.02, 100)
    command("train", "--config", "run/config.toml", "--out", "again", cwd=tmp_path)
    one, other = (
        json.loads((tmp_path / name / "test.json").read_text()) for name in ("run", "again")
    )
    assert one == other


def test_help_shows_every_setting_with_its_default(command):
    told = command("train", "--help").stdout
    for part in (
        "--weight-decay",
        "0.0005",
        "--batch-size",
        "--early-stopping-patience",
        "one-cycle",
        "--config",
    ):
        assert part in told
    assert "--data-dir" in told
    for verb in ("train", "resume", "evaluate", "predict"):
        assert verb in command("--help").stdout
    assert command("--version").stdout.strip() == convscope.__version__


WRONG = [
    (["trian"], "Did you mean 'train'"),
    (["train", "--epohcs", 3], "Did you mean '--epochs'?"),
    (["train", "--epochs", "many"], "'many' is not an integer"),
    (["train", "--seed", "1.5"], "--seed: '1.5' is not an integer"),
    (["predict", "run", "x.png", "--top", "1.5"], "--top: '1.5' is not an integer"),
    (["train", "--lr-schedule", "exponential"], "exponential"),
    (["train", "--lr", "-1"], "--lr must be"),
    (["train", "digitz"], "Did you mean 'digits'"),
    (["train", "gone/folder"], "gone/folder"),
    (["train", "empty"], "empty has no images"),
    (["train", "flat"], "Put each class's images in a folder of its own"),
    (["train", "one"], "one"),
    (["train", "single"], "leaf"),
    (["train", "unreadable", "--model", "tinyvgg"], "None of the 8 images"),
    (["train", "hollow"], "leaf"),
    (["train", "mixed"], "differ in size, and torch.nn:Identity has no input size"),
    (["train", "--model", "lenet6"], "Did you mean 'lenet5'"),
    (["train", "--model", "lenet5", "--input-size", 16], "32x32 or more"),
    (["train", "--model", "nowhere:Net"], "no module 'nowhere'"),
    (["train", "--config", "gone.toml"], "gone.toml"),
    (["train", "--config", "bad.toml"], "bad.toml: Unknown setting 'epohcs'. Did you mean"),
    (["train", "--config", "typed.toml"], "typed.toml: epochs must be an integer"),
    (["train", "--config", "broken.toml"], "not valid TOML"),
    (["train", "--device", "cuda"], "--device auto"),
    (["train", "--out", "full"], "not empty"),
    (["resume", "gone"], "gone does not exist"),
    (["resume", "flat"], "not a run folder"),
    (["evaluate", "flat"], "not a run folder"),
    (["predict", "gone", "x.png"], "no network named 'gone'"),
]  # fmt: skip


@pytest.fixture(scope="module")
def wrong_place(tmp_path_factory):
    """A folder full of mistakes."""
    here = tmp_path_factory.mktemp("wrong")
    (here / "empty").mkdir()
    make_image_folder(here / "whole", ("apple", "leaf"), each=4)
    shutil.copytree(here / "whole" / "apple", here / "flat")
    shutil.copytree(here / "whole" / "apple", here / "one" / "apple")
    shutil.copytree(here / "whole", here / "single")
    for path in sorted((here / "single" / "leaf").iterdir())[1:]:
        path.unlink()
    shutil.copytree(here / "whole", here / "unreadable")
    for path in (here / "unreadable").rglob("*.png"):
        path.write_bytes(path.read_bytes()[:40])
    shutil.copytree(here / "whole", here / "hollow")
    for path in (here / "hollow" / "leaf").iterdir():
        path.unlink()
    shutil.copytree(here / "whole", here / "mixed")
    Image.new("RGB", (5, 5)).save(here / "mixed" / "leaf" / "00.png")
    (here / "bad.toml").write_text("epohcs = 3\n")
    (here / "typed.toml").write_text('epochs = "three"\n')
    (here / "broken.toml").write_text("epochs = = 3\n")
    (here / "full").mkdir()
    (here / "full" / "thesis.tex").touch()
    return here


@pytest.mark.parametrize(("words", "told"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_request_is_refused_in_words_with_status_2(command, wrong_place, words, told):
    if words == ["train", "mixed"]:
        words = [*words, "--model", "torch.nn:Identity"]
    before = sorted(wrong_place.iterdir())
    done = command(*words, cwd=wrong_place, code=2)
    assert told in done.stderr
    assert done.stdout == "" or "convscope" not in done.stdout
    assert 0 < len(done.stderr.strip().split(". ")) <= 4
    assert [p for p in sorted(wrong_place.iterdir()) if p.name != "runs"] == before
    assert not list(wrong_place.glob("runs/*"))


def bomb(path):
    """A PNG of 60,000 x 60,000 gray pixels, by its header."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    body = (
        chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def test_some_bad_pictures_are_skipped_counted_and_listed(command, tmp_path):
    root = make_image_folder(tmp_path / "fruit", ("apple", "leaf"), each=30)
    bomb(root / "apple" / "bomb.png")
    (root / "leaf" / "empty.jpg").touch()
    whole = (root / "leaf" / "00.png").read_bytes()
    (root / "leaf" / "00.png").write_bytes(whole[:-40])
    words = ("train", root, "--model", "tinyvgg", "--epochs", 1, "--out", tmp_path / "run")
    told = command(*words).stdout
    assert "Left out 3 of 62 images" in told
    with (tmp_path / "run" / "problems.csv").open() as file:
        rows = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    assert rows.keys() == {"apple/bomb.png", "leaf/empty.jpg", "leaf/00.png"}
    assert "3,600,000,000 pixels" in rows["apple/bomb.png"]
    refused = command(
        *words[:-1], tmp_path / "other", "--max-corrupt-fraction", 0.01, code=2
    ).stderr
    assert "3 of the 62 images" in refused
    assert not (tmp_path / "other").exists()


def test_a_run_that_is_being_written_is_refused(command, tmp_path):
    writer = Forked("train", "--epochs", 100_000, "--out", tmp_path / "run")
    try:
        until = time.monotonic() + 60
        while not (tmp_path / "run" / "last").exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert "another process" in command("resume", tmp_path / "run", code=1).stderr
    finally:
        writer.signal(signal.SIGKILL)
        writer.wait()


@pytest.mark.parametrize(("number", "status"), [(2, 130), (15, 143)])
def test_a_signal_ends_with_words_and_its_status(tmp_path, number, status):
    process = Forked("train", "--epochs", 100_000, "--out", tmp_path / "run")
    until = time.monotonic() + 60
    while not (tmp_path / "run" / "metrics.jsonl").exists() and time.monotonic() < until:
        time.sleep(0.05)
    process.signal(number)
    assert process.wait(60) == status
    assert "convscope resume" in process.stderr
    assert "Traceback" not in process.stderr


def test_a_signal_while_pictures_are_read_leaves_nothing_behind(tmp_path):
    root = make_image_folder(tmp_path / "fruit", ("apple", "leaf"), each=6)
    code = (
        "import os, signal\n"
        "from convscope.training import prepare\n"
        "def load_images(*words, **more): os.kill(os.getpid(), signal.SIGTERM)\n"
        "prepare.load_images = load_images\n"
        "from convscope.cli import main\n"
        f"main(['train', {str(root)!r}, '--out', {str(tmp_path / 'run')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 143, done.stderr
    assert "before training began" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_full_disk_in_the_middle_is_told_and_the_run_can_go_on(tmp_path):
    """The state is 0.5 MB; a limit on the size of files stands for a disk that is full."""
    code = (
        "import resource, sys\n"
        "from convscope.runs import folder\n"
        "real, count = folder.save_tensors, [0]\n"
        "def later(*words):\n"
        "    count[0] += 1\n"
        "    if count[0] == 4: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "    return real(*words)\n"
        "folder.save_tensors = later\n"
        "from convscope.cli import main\n"
        "main(sys.argv[1:])"
    )
    words = ["train", "--epochs", "6", "--checkpoint-seconds", "0", "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "No space left" in done.stderr
    assert "convscope resume" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "run").rglob("*.tmp"))
    assert convscope.resume(tmp_path / "run").test.top1 > 0.8


def test_what_is_no_run_is_told_as_that(command, tmp_path):
    (tmp_path / "runs" / "eyes").mkdir(parents=True)
    (tmp_path / "eye.png").touch()
    (tmp_path / "runs" / "eye.png").touch()
    told = command("evaluate", "runs/eyed", cwd=tmp_path, code=2).stderr
    assert told.startswith(
        "convscope: There is no run folder runs/eyed, nor a network of that name."
    )
    assert "Did you mean 'eyes'?" in told
    told = command("predict", "runs/eye.png", "eye.png", cwd=tmp_path, code=2).stderr
    assert "runs/eye.png is a file, not a network." in told

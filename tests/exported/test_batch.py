"""Predictions into part files: nothing twice and nothing lost, whoever dies."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from contextlib import ExitStack

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.errors import RequestError, WorkError
from convscope.exported import batch, part_files
from convscope.exported.part_files import REQUEST, WORK
from tests.repetition import first_fast

COUNT = 40

PROGRAM = """
import sys, time
from convscope.exported import batch
answer, parts = batch.answer_batches, 0
def slow(*args, **settings):
    global parts
    parts += 1
    time.sleep(0.02)
    return answer(*args, **settings)
batch.answer_batches = slow
network, images, output = sys.argv[1:]
print("begins", flush=True)
batch.batch_predict(network, images, output, top=3, part_size=2, threads=1)
print(parts, "torch" in sys.modules)
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Images in two folders, and a file that is none."""
    folder = tmp_path_factory.mktemp("many")
    random = np.random.default_rng(0)
    for number in range(COUNT):
        inner = folder / f"{number % 2}"
        inner.mkdir(exist_ok=True)
        pixels = random.integers(0, 256, (4, 5, 3), np.uint8).repeat(6, 0).repeat(6, 1)
        Image.fromarray(pixels).save(inner / f"{number}.png")
    (folder / "bad, truly.jpg").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def expected(_exported, images):
    """What `predict` says of each image."""
    plain = convscope.predict(_exported, images, top=3)
    return {
        **{one.path: one.top_k for one in plain},
        **dict(plain.unreadable),
    }


def rows_of(output):
    if output.suffix == ".csv":
        for path in sorted(output.glob("part-*.csv")):
            with path.open(newline="") as file:
                yield from csv.DictReader(file)
        return
    parquet = pytest.importorskip("pyarrow.parquet")
    for path in sorted(output.glob("part-*.parquet")):
        yield from parquet.read_table(path).to_pylist()


def check(output, expected):
    """Every image has one row, with the answer of `predict`; nothing else is left."""
    rows = list(rows_of(output))
    assert len(rows) == len(expected)
    found = {}
    for row in rows:
        keys = [("label", "probability"), *((f"label_{n}", f"probability_{n}") for n in (2, 3))]
        found[row["path"]] = row["error"] or [(row[a], float(row[b])) for a, b in keys]
    assert found.keys() == expected.keys()
    for path, answer in expected.items():
        if isinstance(answer, str):
            assert found[path] == answer
            continue
        assert [name for name, _ in found[path]] == [name for name, _ in answer]
        assert [p for _, p in found[path]] == pytest.approx([p for _, p in answer], abs=2e-6)
    kinds = {path.name.partition("-")[0] for path in output.iterdir()}
    assert kinds == {"part", REQUEST}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("part_size", [7, 1024])
def test_every_image_has_a_row_with_the_answer_of_predict(
    exported, images, expected, tmp_path, suffix, part_size
):
    output, seen = tmp_path / f"answers.{suffix}", []
    written = convscope.batch_predict(
        exported, images, output, top=3, part_size=part_size,
        on_progress=lambda *at: seen.append(at),
    )  # fmt: skip
    check(output, expected)
    assert written.num_images == COUNT + 1
    assert written.num_unreadable == 1
    assert written.num_parts == len(list(output.glob("part-*"))) == -(-(COUNT + 1) // part_size)
    assert seen[-1] == (COUNT + 1, COUNT + 1)
    assert seen == sorted(seen)


@pytest.fixture
def start():
    """Start `batch_predict` in a process of its own, which is about to begin when this returns."""
    with ExitStack() as ends:

        def begin(*words):
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *map(str, words)], stdout=subprocess.PIPE, text=True
            )
            ends.enter_context(process)
            ends.callback(process.kill)
            assert process.stdout.readline() == "begins\n"
            return process

        yield begin


@pytest.mark.slow
@pytest.mark.parametrize("suffix", first_fast(1, ["csv", "parquet"]))
def test_killed_at_any_time_the_same_call_goes_on(
    start, exported, images, expected, tmp_path, suffix
):
    output, random, kills = tmp_path / f"answers.{suffix}", np.random.default_rng(1), 0
    for _ in range(50):
        process = start(exported, images, output)
        time.sleep(random.uniform(0, 0.3))
        process.kill()
        if process.wait() == 0:
            break
        kills += 1
        parts = sorted(output.glob("part-*"))
        if len(parts) == (COUNT + 2) // 2:
            break
        sizes = [1 if path.stem == "part-00020" else 2 for path in parts]  # of 41 images
        assert len(list(rows_of(output))) == sum(sizes)
    assert kills > 1
    before = {path: path.stat().st_mtime_ns for path in output.glob("part-*")}
    last = start(exported, images, output)
    assert last.communicate()[0] == f"{(COUNT + 2) // 2 - len(before)} False\n"
    assert last.returncode == 0
    check(output, expected)
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())  # not repeated


def test_killed_while_images_are_listed(exported, images, expected, tmp_path):
    output = tmp_path / "answers.csv"
    program = (
        "import os, sys; from convscope.exported import batch, part_files\n"
        "def dies(path, content):\n"
        "    if path.name.endswith('3'): os.kill(os.getpid(), 9)\n"
        "    path.write_bytes(content)\n"
        "part_files.write_atomically = dies\n"
        "batch.batch_predict(*sys.argv[1:], top=3, part_size=4)"
    )
    words = [sys.executable, "-c", program, exported, images, output]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert not (output / REQUEST).exists()
    assert (output / WORK / "images-00002").exists()
    convscope.batch_predict(exported, images, output, top=3, part_size=4)
    check(output, expected)


def test_two_processes_share_the_parts(start, exported, images, expected, tmp_path):
    output = tmp_path / "answers.csv"
    both = [start(exported, images, output) for _ in range(2)]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(int(output.split()[0]) for output in outputs) == (COUNT + 2) // 2
    check(output, expected)


def test_what_a_dead_process_was_at_is_taken_over(start, exported, images, expected, tmp_path):
    output = tmp_path / "answers.csv"
    first = start(exported, images, output)
    while not list(output.glob("part-*")):
        assert first.poll() is None
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGSTOP)  # it holds its claim, and does not go on
    second = start(exported, images, output)
    while len(list(output.glob("part-*"))) < (COUNT + 2) // 2 - 1:
        assert second.poll() is None
        time.sleep(0.01)
    assert second.poll() is None  # it waits for the part of the other
    first.kill()
    assert second.wait(timeout=20) == 0
    check(output, expected)
    first.wait()


def test_what_is_finished_is_not_done_again(exported, images, tmp_path, monkeypatch):
    output = tmp_path / "answers.csv"
    first = convscope.batch_predict(exported, images, output)
    monkeypatch.setattr(batch, "open_classifier", None)
    assert convscope.batch_predict(exported, images, output) == first


def test_another_request_is_refused(exported, images, tmp_path):
    output = tmp_path / "answers.csv"
    convscope.batch_predict(exported, images, output)
    with pytest.raises(RequestError, match=r"of another request: top differ\. Name another"):
        convscope.batch_predict(exported, images, output, top=2)
    with pytest.raises(RequestError, match="images differ"):
        convscope.batch_predict(exported, images / "0", output)
    path = exported / "export.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "other"}))
    with pytest.raises(RequestError, match="network differ"):
        convscope.batch_predict(exported, images, output)


def test_a_part_that_was_removed_cannot_be_made_again(exported, images, tmp_path):
    output = tmp_path / "answers.csv"
    convscope.batch_predict(exported, images, output)
    (output / "part-00000.csv").unlink()
    with pytest.raises(WorkError, match=r"part-00000.csv is missing, and so is the list"):
        convscope.batch_predict(exported, images, output)


def test_what_is_no_folder_of_predictions_is_left_alone(exported, images, tmp_path):
    (tmp_path / "file.csv").write_text("mine")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "folder.csv" / "mine").touch()
    for name, problem in [
        ("file.csv", "is a file, and `output` is a folder"),
        ("folder.csv", "is there already, and holds no predictions"),
        ("answers.txt", "must end in .parquet or .csv"),
    ]:
        with pytest.raises(RequestError, match=problem):
            convscope.batch_predict(exported, images, tmp_path / name)
    assert (tmp_path / "file.csv").read_text() == "mine"


def test_each_image_counts_once_however_often_it_is_named(exported, images, expected, tmp_path):
    names = [images, images / "0", images / "1" / "1.png", images / "1" / "*.png", images]
    written = convscope.batch_predict(exported, names, tmp_path / "answers.csv", top=3)
    assert written.num_images == COUNT + 1
    check(tmp_path / "answers.csv", expected)


def test_a_run_that_was_not_exported_is_refused(digits_run, images, tmp_path):
    with pytest.raises(RequestError, match="is no exported network, and `output` needs one"):
        convscope.batch_predict(digits_run, images, tmp_path / "answers.csv")


def test_names_that_are_no_utf8_are_kept(exported, images, tmp_path):
    pytest.importorskip("pyarrow")
    folder = tmp_path / "odd"
    folder.mkdir()
    names = ["two\nlines.png", os.fsdecode(b"\xff.png"), "=1+1.png"]
    for name in names:
        try:
            (folder / name).write_bytes((images / "0" / "0.png").read_bytes())
        except OSError:
            pytest.skip("the file system takes no such names")
    for suffix in ("csv", "parquet"):
        output = tmp_path / f"answers.{suffix}"
        assert convscope.batch_predict(exported, folder, output).num_unreadable == 0
        assert len(list(rows_of(output))) == 3


def test_the_command_says_what_it_wrote(exported, images, tmp_path, command):
    output = tmp_path / "answers.csv"
    done = command("predict", exported, images, "--output", output, "--top", 1)
    assert done.stdout == f"Wrote predictions for 41 images to {output} (1 file).\n"
    assert done.stderr == '1 image could not be read; the column "error" says why.\n'
    told = json.loads(
        command("predict", exported, images, "-o", output, "--top=1", "--json").stdout
    )
    assert told == {"path": str(output), "num_images": 41, "num_unreadable": 1, "num_parts": 1}
    refused = command("predict", exported, images, "-o", output, "--trust", code=2)
    assert "leave out --trust" in refused.stderr


def test_listing_does_not_keep_the_images(tmp_path):
    """Names of a million files would be some hundred megabytes."""
    (tmp_path / WORK).mkdir(parents=True)
    tracemalloc.start()
    try:
        names = (f"{number:0100d}.png" for number in range(50_000))
        assert part_files._write_lists(tmp_path, names, 100) == 50_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000  # of 5 MB of names
    finally:
        tracemalloc.stop()

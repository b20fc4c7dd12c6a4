"""A run is never written over, never by two at once, and falls back on the state before."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from convscope.card import Card
from convscope.errors import RequestError, WorkError
from convscope.runs.folder import Run
from convscope.runs.tensor_file import TensorFile

CARD = Card(
    classes=("a", "b"), input_size=(2, 2), in_channels=1, resize_mode="pad", mean=(0.0,), std=(1.0,)
)


def state(value):
    return TensorFile({"weight": torch.full((4,), float(value))}, {"step": value})


def test_a_new_run_gets_a_free_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = (Run.create(None, name="lenet5_digits") for _ in range(2))
    assert first.path.name.endswith("_lenet5_digits")
    assert second.path.name == f"{first.path.name}-2"


def test_a_folder_with_anything_in_it_is_refused_and_kept(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RequestError, match="not empty"):
        Run.create(tmp_path, name="x")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RequestError, match="is a file"):
            Run.create(path, name="x")


@pytest.mark.parametrize(
    ("name", "message"), [("gone", "does not exist"), (".", "not a run folder")]
)
def test_other_folders_are_not_runs(tmp_path, name, message):
    with pytest.raises(RequestError, match=message):
        Run.open(tmp_path / name)


def test_the_newest_two_states_are_kept_and_foreign_files_are_not_touched(tmp_path):
    run = Run(tmp_path)
    (tmp_path / "last").mkdir()
    (tmp_path / "last" / "notes.txt").write_text("mine")
    for step in (5, 10, 200, 1000):
        run.write_state(step, state(step), CARD)
    names = sorted(path.name for path in (tmp_path / "last").iterdir())
    assert names == ["notes.txt", "step-000000200.safetensors", "step-000001000.safetensors"]
    assert run.read_state()[0].metadata["step"] == 1000


def test_a_damaged_state_gives_way_to_the_one_before_and_is_named(tmp_path):
    run = Run(tmp_path)
    run.write_state(1, state(1), CARD)
    run.write_state(2, state(2), CARD)
    newest = tmp_path / "last" / "step-000000002.safetensors"
    newest.write_bytes(newest.read_bytes()[:-3])
    stored, passed_over = run.read_state()
    assert stored.metadata["step"] == 1
    assert len(passed_over) == 1
    assert str(newest) in passed_over[0]


def test_with_no_whole_state_the_work_fails_and_with_none_there_is_none(tmp_path):
    run = Run(tmp_path)
    assert run.read_state() == (None, [])
    run.write_state(1, state(1), CARD)
    (tmp_path / "last" / "step-000000001.safetensors").write_bytes(b"")
    with pytest.raises(WorkError, match="cannot be resumed"):
        run.read_state()


def test_what_a_killed_start_left_is_no_run(tmp_path):
    for name in (".lock", "card.json", "splits.csv", ".config.toml.x1.tmp"):
        (tmp_path / name).touch()
    run = Run.create(tmp_path, name="x")
    with run.locked():
        run.discard_if_unstarted()
    assert not tmp_path.exists()


def test_a_folder_with_a_config_or_with_a_strangers_file_is_not_discarded(tmp_path):
    for name in ("config.toml", "notes.txt"):
        folder = tmp_path / name[:3]
        folder.mkdir()
        (folder / name).touch()
        Run(folder).discard_if_unstarted()
        assert (folder / name).exists()


def test_a_second_process_is_told_at_once(tmp_path):
    code = (
        "import sys; from convscope.runs.folder import Run\n"
        "with Run(__import__('pathlib').Path(sys.argv[1])).locked():\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(WorkError, match="another process"), Run(tmp_path).locked():
        pass
    holder.kill()
    holder.communicate()
    with Run(tmp_path).locked():  # a killed process leaves no lock behind
        assert Path(tmp_path, ".lock").exists()

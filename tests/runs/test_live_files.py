"""What is written is read back unchanged; what cannot be written or read raises nothing."""

import errno
import json
import os
import time
from pathlib import Path

import pytest
import torch

from convscope.runs.live_files import Live
from convscope.runs.step_history import StepHistory
from convscope.runs.tensor_file import TensorFile
from tests import snapshots


@pytest.fixture
def live(tmp_path):
    live = Live(tmp_path)
    live.begin()
    return live


def a_series():
    series = StepHistory()
    series.add(1, loss=2.0, num_correct=3, num_images=4, lr=0.5, seconds=0.1)
    return series


def test_what_was_told_is_read_and_says_when(live):
    before = time.time()
    live.write_now({"state": "training", "step": 3})
    now = live.read_now()
    assert now["step"] == 3
    assert before <= now["updated_at"] <= time.time()
    live.write_step_history(a_series())
    assert live.read_step_history().table.tolist() == a_series().table.tolist()
    batch = torch.arange(12, dtype=torch.uint8).reshape(1, 2, 2, 3)
    live.write_snapshot("look", snapshots.look(batch, step=1))
    assert torch.equal(live.read_snapshot("look").tensors["batch"], batch)
    assert not list(live.folder.glob(".*")), "a half-written file was left"


def test_before_anything_was_told_there_is_nothing(tmp_path):
    live = Live(tmp_path)
    assert live.read_now() is live.read_step_history() is live.read_snapshot("wrong") is None
    assert live.read_command() is None
    assert live.changed("now.json") == 0
    assert not live.is_watched()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{", b"[1]", b'"text"', b"null", b"7"])
def test_a_broken_file_is_as_good_as_none(live, content):
    for name in ("now.json", "steps.npy", "look.safetensors", "command.json"):
        (live.folder / name).write_bytes(content)
    assert live.read_now() is live.read_step_history() is live.read_snapshot("look") is None
    assert live.read_command() is None


def test_a_wish_has_a_number_that_grows_and_that_a_page_can_hold(live):
    numbers = []
    for name in ("pause", "resume", "save", "stop"):
        numbers.append(live.request(name))
        assert live.read_command() == (numbers[-1], name, None)
        time.sleep(0.001)
    assert numbers == sorted(set(numbers))
    assert all(float(number) == number < 2**53 for number in numbers)


@pytest.mark.parametrize(
    "content",
    [
        {"id": 5, "command": "delete everything"},
        {"id": 5, "command": ["stop"]},
        {"id": 5, "command": {}},
        {"id": "5", "command": "stop"},
        {"id": 5.5, "command": "stop"},
        {"command": "stop"},
        {"id": 5},
    ],
)
def test_an_unknown_command_is_none(live, content):
    (live.folder / "command.json").write_text(json.dumps(content))
    assert live.read_command() is None


def test_a_beginning_forgets_the_wish_before_and_what_was_left_half_written(live):
    live.request("stop")
    live.write_now({"state": "stopped"})
    (live.folder / ".now.json.77.tmp").touch()
    live.begin()
    assert live.read_command() is None
    assert live.read_now()["state"] == "stopped"
    assert sorted(path.name for path in live.folder.iterdir()) == ["now.json"]


def test_a_sign_of_a_watcher_counts_for_some_seconds(live):
    assert not live.is_watched()
    live.watch()
    assert live.is_watched()
    past = time.time() - 60
    os.utime(live.folder / "watched", (past, past))
    assert not live.is_watched()
    live.watch()
    assert live.is_watched()


def test_a_file_that_changed_has_another_number(live):
    live.write_now({"step": 1})
    os.utime(live.folder / "now.json", (1, 1))
    before = live.changed("now.json")
    live.write_now({"step": 2})
    assert live.changed("now.json") != before != 0


def tell_everything(live):
    live.begin()
    live.write_now({"step": 1})
    live.write_step_history(a_series())
    live.write_snapshot("filters", TensorFile({"1": torch.zeros(1)}, {}))
    live.watch()


def test_where_nothing_can_be_written_telling_is_quiet_and_a_wish_says_so(tmp_path):
    (tmp_path / "live").write_text("a file of somebody's")
    live = Live(tmp_path)
    tell_everything(live)
    with pytest.raises(OSError, match="live"):
        live.request("stop")
    assert (tmp_path / "live").read_text() == "a file of somebody's"


def test_a_full_disk_leaves_what_was_told_before_and_no_rest(live, monkeypatch):
    live.write_now({"step": 1})

    def full(path, data):
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        live.write_now({"step": 2})
        live.write_step_history(a_series())
        with pytest.raises(OSError, match="No space"):
            live.request("pause")
    assert live.read_now()["step"] == 1
    assert [path.name for path in live.folder.iterdir()] == ["now.json"]

"""A network from a table in a file: the run keeps it, and needs the file no more."""

import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope.errors import Interrupted, RequestError
from convscope.runs.folder import Run
from convscope.runs.tensor_file import load_tensors
from convscope.training.callbacks.base import Callback

TABLE = """
input = "1x16x20"
layers = '''
layer     filters  size  activation
conv1           4     5  relu
pool1           .     2  .
dropout1      0.2     .  .
fc1       classes     .  .
'''
"""
SETTINGS = dict(epochs=2, batch_size=128, checkpoint_seconds=0.0)


class StopAtThree(Callback):
    def on_step_end(self, state, event):
        if event.step == 3:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table in a folder below the one from which it is named."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "nets" / "small.toml"
    path.parent.mkdir()
    path.write_text(TABLE)
    return path


def test_a_run_needs_the_file_no_more(table, tmp_path, command):
    done = command("train", "digits", "--model", "nets/small.toml", "--epochs", 2, cwd=tmp_path)
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.endswith("_small_digits")
    assert "nets/small.toml (" in done.stderr + done.stdout
    assert (run / "network.toml").read_text() == TABLE
    assert Run(run).read_config()["model"] == str(table)
    assert Run(run).read_card().input_size == (16, 20)
    before = convscope.evaluate(run).metrics.to_dict()

    table.write_text("layers = 'something else'")
    assert convscope.evaluate(run).metrics.to_dict() == before
    table.unlink()
    run = run.rename(tmp_path / "elsewhere")
    assert convscope.evaluate(run).metrics.to_dict() == before
    net, card = convscope.load_network(run)
    assert net(torch.zeros(1, 1, *card.input_size)).shape == (1, 10)
    Image.fromarray(np.zeros((16, 20), np.uint8)).save(tmp_path / "black.png")
    assert len(convscope.predict(run, [tmp_path / "black.png"])) == 1
    assert convscope.resume(run).test.to_dict() == before


def test_a_resumed_run_reads_its_own_copy_and_ends_with_the_same_bits(table, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    convscope.train("digits", model="nets/small.toml", out=whole, **SETTINGS)
    with pytest.raises(Interrupted):
        convscope.train(
            "digits", model="nets/small.toml", out=broken, callbacks=[StopAtThree()], **SETTINGS
        )
    table.write_text(TABLE.replace("relu", "tanh"))
    convscope.resume(broken)
    mine, theirs = (load_tensors(run / "model.safetensors") for run in (broken, whole))
    assert mine.metadata == theirs.metadata
    assert Run.open(broken).read_card().provenance["network"] == "nets/small.toml"
    assert mine.tensors.keys() == theirs.tensors.keys()
    assert all(torch.equal(value, theirs.tensors[name]) for name, value in mine.tensors.items())


def test_what_the_user_asks_for_wins_and_what_nobody_says_the_images_decide(table, tmp_path):
    table.write_text(TABLE.replace('input = "1x16x20"', ""))
    words = dict(model="nets/small.toml", steps=1)
    convscope.train("digits", out=tmp_path / "theirs", **words)
    assert Run(tmp_path / "theirs").read_card().input_size == (8, 8)
    convscope.train("digits", out=tmp_path / "mine", input_size=12, in_channels=3, **words)
    card = Run(tmp_path / "mine").read_card()
    assert (card.input_size, card.in_channels) == ((12, 12), 3)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("conv1           4    25  relu", r"nets/small.toml, row 1 \(conv1\): a 25x25 filter"),
        ("cnov1           4     5  relu", "no kind of layer 'cnov'"),
        ("fc1             7     .  .", r"row 1 \(fc1\): the network ends with 7 units"),
    ],
)
def test_a_bad_table_leaves_no_run_behind(table, tmp_path, row, told):
    lines = TABLE.splitlines()
    table.write_text("\n".join([*lines[:4], row, *([] if "fc1" in row else lines[5:8]), "'''"]))
    with pytest.raises(RequestError, match=told):
        convscope.train("digits", model="nets/small.toml", steps=1)
    assert not (tmp_path / "runs").exists()


def test_a_start_that_was_killed_after_it_kept_the_table_begins_again(table, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "network.toml").write_text("half a table")
    convscope.train("digits", model=str(table), out=tmp_path / "run", steps=1)
    assert (tmp_path / "run" / "network.toml").read_text() == TABLE

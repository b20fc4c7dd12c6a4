"""A training that a program or a notebook starts shows how far it is."""

import re
import sys
import types

import pytest

import convscope
from convscope.training import progress
from convscope.training.callbacks.base import Callback

SETTINGS = dict(model="tinyvgg", input_size=8, epochs=2, engine="torch", threads=1)


class Shell:
    kernel = object()


class Cell:
    """What IPython shows below a cell."""

    def __init__(self, monkeypatch, shell):
        self.shown = []
        ipython, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
        ipython.get_ipython = lambda: shell
        display.HTML = str
        display.display = self.display
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        monkeypatch.setitem(sys.modules, "IPython.display", display)

    def display(self, html, *, display_id):
        assert display_id
        self.shown.append([html])
        return types.SimpleNamespace(update=self.shown[-1].append)


def test_a_program_shows_lines_on_standard_error_and_nothing_on_its_output(
    tmp_path, image_folder, capsys
):
    result = convscope.train(image_folder, out=tmp_path / "run", **SETTINGS)
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert [line.split()[:2] for line in lines if line.startswith("epoch")] == [
        ["epoch", "1/2"],
        ["epoch", "2/2"],
    ]
    assert (result.run / "log.txt").read_text().splitlines() == lines


def test_without_progress_nothing_is_shown(tmp_path, image_folder, capsys):
    convscope.train(image_folder, out=tmp_path / "run", progress=False, **SETTINGS)
    assert capsys.readouterr() == ("", "")


def test_messages_are_in_keywords(tmp_path, image_folder, capsys):
    convscope.train(image_folder, out=tmp_path / "run", lr_patience=5, **SETTINGS)
    assert "`lr_patience=5` has no effect with `lr_schedule='cosine'`" in capsys.readouterr().err


def test_a_notebook_shows_one_cell_output_with_a_row_per_epoch(
    tmp_path, image_folder, capsys, monkeypatch
):
    cell = Cell(monkeypatch, Shell())
    result = convscope.train(image_folder, out=tmp_path / "run", **SETTINGS)
    assert capsys.readouterr() == ("", "")
    [versions] = cell.shown
    last = versions[-1]
    assert re.findall(r"<td>(\d/2)</td>", last) == ["1/2", "2/2"]
    assert f"{result.history[-1]['val_loss']:.4f}" in last
    assert f"Test accuracy {result.test.top1:.2%}" in last
    assert last.index("tinyvgg (") < last.index("<table>") < last.index("Test accuracy")
    assert 'class="bar"' not in last
    assert any('class="bar"' in version for version in versions)
    assert "epoch   2/2" in (result.run / "log.txt").read_text()


def test_a_resumed_training_shows_the_epochs_of_before(tmp_path, image_folder, monkeypatch):
    result = convscope.train(image_folder, out=tmp_path / "run", progress=False, **SETTINGS)
    cell = Cell(monkeypatch, Shell())
    convscope.resume(result.run, epochs=3)
    assert re.findall(r"<td>(\d/3)</td>", cell.shown[0][-1]) == ["1/3", "2/3", "3/3"]


def test_an_error_leaves_no_bar_behind(tmp_path, image_folder, monkeypatch):
    class Fails(Callback):
        def on_step_end(self, state, event):
            raise ZeroDivisionError

    cell = Cell(monkeypatch, Shell())
    with pytest.raises(convscope.ConvscopeError, match="ZeroDivisionError"):
        convscope.train(image_folder, out=tmp_path / "run", callbacks=[Fails()], **SETTINGS)
    assert 'class="bar"' not in cell.shown[0][-1]
    assert "ZeroDivisionError" in (tmp_path / "run" / "log.txt").read_text()


def test_only_a_kernel_is_a_notebook(monkeypatch):
    Cell(monkeypatch, None)
    assert not progress.is_notebook()
    Cell(monkeypatch, types.SimpleNamespace())  # IPython in a terminal
    assert not progress.is_notebook()
    Cell(monkeypatch, Shell())
    assert progress.is_notebook()


def test_messages_of_a_notebook_are_escaped(tmp_path, image_folder, monkeypatch):
    cell = Cell(monkeypatch, Shell())
    convscope.train(image_folder, out=tmp_path / "<b>run", **SETTINGS)
    assert "<b>run" not in cell.shown[0][-1]
    assert "&lt;b&gt;run" in cell.shown[0][-1]


def test_a_stop_before_the_first_step_waits_for_it(tmp_path, image_folder):
    class Stop(Callback):
        def on_fit_start(self, state, event):
            state.stop("no need")

    result = convscope.train(
        image_folder, out=tmp_path / "run", callbacks=[Stop()], progress=False, **SETTINGS
    )
    [row] = result.history
    assert row["step"] == 1
    assert row["train_loss"] > 0

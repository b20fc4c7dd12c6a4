"""Data that a thread opens ahead are those that are opened in due course; errors wait for that."""

from collections.abc import Callable
from pathlib import Path

import pytest

import convscope.data.source
from convscope.cli import main
from convscope.data.ahead import open_ahead
from convscope.data.source import open_source

Write = Callable[..., Path]


def test_they_are_the_same(idx_folder: Write):
    folder = idx_folder()
    ahead, data = open_ahead("mnist", data_dir=folder)(), open_source("mnist", data_dir=folder)
    assert ahead is not None
    assert (ahead.name, ahead.classes) == (data.name, data.classes)
    assert ahead.labels.tolist() == data.labels.tolist()
    for index in range(len(data)):
        assert ahead.images.read(index)[1] == data.images.read(index)[1]


def test_what_is_not_here_is_not_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fetch(*_: object, **__: object):
        raise AssertionError("a download")

    monkeypatch.setattr(convscope.data.source, "fetch", fetch)
    monkeypatch.setattr(convscope.data.source, "cache_dir", lambda: tmp_path / "cache")
    assert open_ahead("mnist", data_dir=tmp_path)() is None
    assert open_ahead("mnist", data_dir=tmp_path / "missing")() is None
    assert open_ahead(str(tmp_path))() is None


def test_damage_is_told_in_due_course(idx_folder: Write, capsys: pytest.CaptureFixture[str]):
    folder = idx_folder()
    (folder / "train-images-idx3-ubyte").write_bytes(b"no images")
    assert open_ahead("mnist", data_dir=folder)() is None
    words = ["train", "mnist", "--data-dir", str(folder), "--model"]
    for model, told in (("lenet55", "lenet55"), ("lenet5", "is not an IDX file")):
        with pytest.raises(SystemExit):
            main([*words, model])
        assert told in capsys.readouterr().err

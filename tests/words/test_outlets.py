"""No outlet lets through what a name holds: every verb, on every stream and file it writes."""

from pathlib import Path

import pytest

from convscope.cli import main
from tests.words.hostile import ODD, check, linux, make_data

pytestmark = linux


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def run(data) -> Path:
    out = data.parent / f"run{ODD}"
    with pytest.raises(SystemExit) as done:
        main(["train", str(data), "--epochs", "1", "--out", str(out), "--threads", "1"])
    assert done.value.code == 0
    return out


def verb(capfdbinary, *words: str | Path, status: int = 0) -> str:
    """What one command line writes on both streams."""
    with pytest.raises(SystemExit) as done:
        main([str(word) for word in words])
    out, err = capfdbinary.readouterr()
    assert done.value.code == status, err.decode("utf-8", "replace")
    return check(out), check(err)


def test_train(data, capfdbinary):
    verb(capfdbinary, "train", data, "--epochs", "1", "--out", data.parent / f"two{ODD}")


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_predict(run, data, capfdbinary, form):
    out, _ = verb(capfdbinary, "predict", run, data, "--format", form)
    assert r"caf\udce9" in out.replace("\\\\", "\\")


def test_evaluate(run, data, capfdbinary):
    verb(capfdbinary, "evaluate", run)
    verb(capfdbinary, "evaluate", run, data, "--csv", data.parent / "per_image.csv")
    verb(capfdbinary, "evaluate", run, "--json")

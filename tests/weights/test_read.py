"""Files of weights give their tensors, and nothing that lies in them is run."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from convscope.errors import RequestError
from convscope.weights.read import read_contents

TENSORS = {"conv.weight": torch.arange(6.0).reshape(1, 2, 1, 3), "conv.bias": torch.ones(1)}


def assert_read(path: Path) -> None:
    found = read_contents(path).tensors
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in TENSORS.items())


def test_the_content_tells_the_format_whatever_the_name(tmp_path):
    torch.save(TENSORS, tmp_path / "zipped.bin")
    torch.save(TENSORS, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    save_file(TENSORS, tmp_path / "safe.pth")
    for path in tmp_path.iterdir():
        assert_read(path)


class Payload:
    """Makes a file when it is unpickled the careless way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_not_run(tmp_path, zipped):
    trap, path = tmp_path / "was-run", tmp_path / "x.pth"
    held = {"weight": torch.ones(1), "extra": Payload(trap)}
    torch.save(held, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        RequestError, match=r"x\.pth has more than tensors \(\w+\.mkdir\), and .*never does"
    ):
        read_contents(path)
    path.write_bytes(pickle.dumps(Payload(trap)))
    with pytest.raises(RequestError, match=r"x\.pth"):
        read_contents(path)
    assert not trap.exists()
    pickle.loads(pickle.dumps(Payload(trap)))  # noqa: S301 -- the trap works
    assert trap.exists()


def test_a_whole_network_is_refused(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "x.pth")
    with pytest.raises(RequestError, match=r"a whole network.*torch\.save\(torch\.load"):
        read_contents(tmp_path / "x.pth")


@pytest.mark.parametrize("held", [{}, {"lr": 0.1}, ["a"], 3])
def test_what_is_no_state_dict_is_refused(tmp_path, held):
    torch.save(held, tmp_path / "x.pth")
    with pytest.raises(RequestError, match=r"x\.pth has no state dict"):
        read_contents(tmp_path / "x.pth")


@pytest.mark.parametrize("kind", ["safe", "zipped", "old"])
def test_a_file_cut_off_anywhere_is_refused(tmp_path, kind):
    path = tmp_path / "x"
    match kind:
        case "safe":
            save_file(TENSORS, path)
        case _:
            torch.save(TENSORS, path, _use_new_zipfile_serialization=kind == "zipped")
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, max(1, len(whole) // 60)):
        path.write_bytes(whole[:length])
        with pytest.raises(RequestError, match="x "):
            read_contents(path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(RequestError, match="cannot be read"):
        read_contents(tmp_path)

"""What people take for a file of weights is told for what it is."""

import gzip
import json
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from convscope.errors import RequestError
from convscope.weights import load_weights
from convscope.weights.read import read_contents

NET = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "pointer of Git LFS"),
        (b"<!DOCTYPE html><html>Log in</html>", "is a web page"),
        (b"\n  <html>gone</html>", "is a web page"),
        (b'{"error": "Invalid username or password."}', "is JSON"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 20, "is HDF5, as Keras"),
        (gzip.compress(b"weights", mtime=0), "by gzip: unpack it"),
        (b"\xfd7zXZ\x00" + b"\0" * 9, "by xz: unpack it"),
        (b"7z\xbc\xaf\x27\x1c" + b"\0" * 9, "7z archive: unpack it"),
        (b"\x89PNG\r\n\x1a\n", "is an image"),
        (b"\x08\x08\x12\x07pytorch:onnx.Conv", "is an ONNX model"),
        (b"\x1c\0\0\0TFL3", "is TensorFlow Lite"),
        (b"PK", "neither safetensors nor a PyTorch file"),
        (b"PK\x03\x04" + b"\0" * 40, "is damaged: a zip without its end"),
        (b"1.0 2.0 3.0\n", "neither safetensors nor a PyTorch file"),
    ],
)  # fmt: skip
def test_a_file_without_weights_is_told_for_what_it_is(tmp_path, content, told):
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(RequestError, match=rf"x\.pth {told}|x\.pth .*{told}"):
        read_contents(tmp_path / "x.pth")


def test_archives_name_what_is_in_them(tmp_path):
    torch.save(NET.state_dict(), tmp_path / "x.pth")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(tmp_path / "x.pth", "weights/x.pth")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path / "x.pth", "x.pth")
    for name, inside in (("x.zip", r"weights/x\.pth"), ("x.tar", r"x\.pth")):
        with pytest.raises(RequestError, match=rf"{name} is a \w+ archive \({inside}\): unpack"):
            read_contents(tmp_path / name)


def test_numpy_archives_come_with_the_line_that_converts_them(tmp_path):
    np.savez(tmp_path / "x.npz", w=np.ones(3, np.float32))
    with pytest.raises(
        RequestError, match=r"torch\.save\(\{name: torch\.tensor\(a\) for name, a in"
    ):
        read_contents(tmp_path / "x.npz")


def test_a_program_is_refused_with_the_line_that_saves_its_weights(tmp_path):
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w") as archive:  # the layout of torch.jit.save
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py", "version"):
            archive.writestr(f"x/{name}", b"\x80\x02}.")
    with pytest.raises(RequestError, match=r"TorchScript archive.*torch\.jit\.load\('.*x\.pt'\)"):
        read_contents(path)


def test_a_plain_pickle_is_refused_with_a_way_out(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"model": {"w": np.ones(3)}}))
    with pytest.raises(RequestError, match=r"x\.pkl is a plain pickle, not from torch\.save"):
        read_contents(tmp_path / "x.pkl")


def test_another_pickle_protocol_is_told_with_the_line_that_saves_again(tmp_path):
    torch.save(NET.state_dict(), tmp_path / "x.pth", pickle_protocol=4)
    with pytest.raises(RequestError, match=r"by a protocol that .*save it again: `torch\.save"):
        read_contents(tmp_path / "x.pth")


def test_the_global_that_is_refused_is_named(tmp_path):
    torch.save({"w": torch.ones(1), "f": print}, tmp_path / "x.pth")
    with pytest.raises(
        RequestError, match=r"more than tensors \(print\), and loading it would run"
    ):
        read_contents(tmp_path / "x.pth")


def test_the_line_in_the_message_saves_what_is_then_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(NET, "x.pth")
    with pytest.raises(RequestError) as caught:
        read_contents(tmp_path / "x.pth")
    line = str(caught.value).split("`")[1]
    exec(line, {"torch": torch})  # noqa: S102 -- the message's own advice
    net = nn.Sequential(*(type(layer)(*args) for layer, args in zip(
        NET, ((3, 4, 3), (1,), (), (4, 2)), strict=True)))  # fmt: skip
    load_weights(net, "weights.pth")
    assert torch.equal(net[0].weight, NET[0].weight)


def test_a_model_in_several_files_is_read_by_its_index(tmp_path):
    state = NET.state_dict()
    files = {name: f"model-{index % 2}.safetensors" for index, name in enumerate(state)}
    for file in set(files.values()):
        save_file({n: state[n] for n in state if files[n] == file}, tmp_path / file)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": files}))
    for source in (index, tmp_path):
        net = nn.Sequential(nn.Conv2d(3, 4, 3), NET[1], NET[2], nn.Linear(4, 2))
        load_weights(net, source)
        assert torch.equal(net[3].weight, NET[3].weight)
    (tmp_path / "model-1.safetensors").unlink()
    with pytest.raises(RequestError, match=r"lists 'model-1\.safetensors', which is not beside it"):
        read_contents(index)
    index.write_text(json.dumps({"weight_map": {"w": "../x"}}))
    with pytest.raises(RequestError, match=r"lists '\.\./x'"):
        read_contents(index)

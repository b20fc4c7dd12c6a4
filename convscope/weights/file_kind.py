"""What a file that holds no weights for PyTorch is, in words that say what to do instead."""

import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Literal, cast

from convscope.regular_files import open_regular, read_regular
from convscope.strict import parse_json

Format = Literal["safetensors", "zip", "pickle", "index"]
"""How weights can be read: `zip` and `pickle` are new and old files of `torch.save`; `index` lists
the files that one model is spread over."""

_STARTS: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs",
        "is a pointer of Git LFS, not the weights: run `git lfs pull` where it lies",
    ),
    (
        b"\x89HDF\r\n\x1a\n",
        "is HDF5, as Keras saves networks: give it a name that ends in .h5",
    ),
    (b"GGUF", "is GGUF, for language models: convscope reads weights of PyTorch"),
    (
        b"\x93NUMPY",
        "is one numpy array: save all of them by name, `torch.save({name: tensor}, 'weights.pth')`",
    ),
    (b"\x1f\x8b", "is compressed by gzip: unpack it first"),
    (b"BZh", "is compressed by bzip2: unpack it first"),
    (b"\xfd7zXZ\x00", "is compressed by xz: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "is compressed by zstd: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive: unpack it first"),
    (b"Rar!", "is a RAR archive: unpack it first"),
    (b"\x89PNG", "is an image, and no weights"),
    (b"\xff\xd8\xff", "is an image, and no weights"),
    (b"%PDF", "is a PDF, and no weights"),
)
_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # of torch.save before its zip files
_PICKLE = (
    "is a plain pickle, not from torch.save, and unpickling it could run code from the file, which "
    "convscope never does. Where you trust it, load it with pickle and save its tensors by name "
    "with `torch.save({...}, 'weights.pth')`"
)
_TORCHSCRIPT = (
    "is a TorchScript archive, a program with its weights, which convscope does not run. Save its "
    "weights: `torch.save(torch.jit.load('{path}').state_dict(), 'weights.pth')`"
)
_EXPORTED = (
    "is a program of torch.export, which convscope does not run. Save its weights: "
    "`torch.save(dict(torch.export.load('{path}').state_dict), 'weights.pth')`"
)
_ONNX = "is an ONNX model, a graph without PyTorch's names: give the weights it was exported from"


def file_format(path: Path) -> Format | str:
    """The format of a file of weights by its content, or a sentence's end that says what it is.

    Raises OSError if it cannot be read.
    """
    with open_regular(path) as file:
        head = file.read(512)
    if head[8:9] == b"{":
        return "safetensors"
    if not head:
        return "is empty: download or save it again"
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(path)
    if head.startswith(_MAGIC):
        return "pickle"
    if head.startswith(b"\x80"):
        return _PICKLE
    known = next((kind for start, kind in _STARTS if head.startswith(start)), None)
    return known or _text_kind(path, head) or _binary_kind(path, head)


def _text_kind(path: Path, head: bytes) -> Format | str | None:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")):
        return (
            "is a web page, not the weights: often a page to log in, to confirm, or of an error. "
            "Download the file itself"
        )
    if text[:1] in (b"{", b"["):
        return "index" if read_index(path) else "is JSON, and no weights"
    return None


def _binary_kind(path: Path, head: bytes) -> str:
    if path.suffix.lower() == ".onnx" or (head[:1] == b"\x08" and b"onnx" in head.lower()):
        return _ONNX
    if head[4:8] == b"TFL3":
        return "is TensorFlow Lite: convscope reads weights of PyTorch"
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            names = archive.getnames()
        if {"pickle", "storages", "tensors"} <= set(names):
            return (
                "is in PyTorch's format before version 0.1.10, which cannot be read without "
                "running it: where you trust it, load it in torch and save its state dict again"
            )
        return f"is a tar archive ({_some(names)}): unpack it first"
    return "has no weights: it is neither safetensors nor a PyTorch file"


def _zip_kind(path: Path) -> Format | str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return (
            "is damaged: a zip without its end, as of a download that broke off. Download it again"
        )
    files = {name.partition("/")[2] or name for name in names}
    if "constants.pkl" in files and any(name.startswith("code/") for name in files):
        kind = _TORCHSCRIPT.format(path=path)
    elif files & {"archive_format", "serialized_exported_program.json"}:
        kind = _EXPORTED.format(path=path)
    elif "data.pkl" in files:
        kind = "zip"
    elif "model.weights.h5" in files:
        kind = "is a network of Keras: give it a name that ends in .keras"
    elif names and all(name.endswith(".npy") for name in names):
        arrays = f"numpy.load('{path}').items()"
        kind = (
            "is a zip of numpy arrays: convert it, "
            f"`torch.save({{name: torch.tensor(a) for name, a in {arrays}}}, 'weights.pth')`"
        )
    else:
        kind = f"is a zip archive ({_some(names)}): unpack it first"
    return kind


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "") or "empty"


def read_index(path: Path) -> dict[str, str]:
    """The file of each tensor, from the index of a model in several files; empty for other JSON.

    Raises RequestError for a name that stands twice in it.
    """
    try:
        text = read_regular(path).decode("utf-8")
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    files: Any = cast("dict[str, Any]", data).get("weight_map") if isinstance(data, dict) else None
    if not isinstance(files, dict):
        return {}
    parse_json(text, where=str(path))
    return {str(name): str(file) for name, file in cast("dict[Any, Any]", files).items()}

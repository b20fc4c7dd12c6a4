"""A network of another library from its file, with what is known of its images."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from convscope.errors import RequestError
from convscope.foreign.architecture import convnetjs_table, keras_table
from convscope.foreign.convnetjs import is_convnetjs, read_convnetjs
from convscope.foreign.finished import ForeignNetwork
from convscope.foreign.keras.files import open_keras
from convscope.foreign.keras.network import keras_network
from convscope.foreign.keras.outputs import with_output
from convscope.regular_files import read_regular
from convscope.strict import parse_json

SUFFIXES = (".keras", ".h5", ".hdf5", ".json")
"""The ends of names that are files of networks."""

_MAX_JSON = 500_000_000  # bytes


def is_network_file(name: str) -> bool:
    """Whether a network's name is the path of a file of Keras or ConvNetJS: by its end.

    Behind the path, a # and the name of an output may follow.
    """
    return _split(name)[0].lower().endswith(SUFFIXES)


def _split(name: str) -> tuple[str, str]:
    """The path of a file, and the output that is named behind it."""
    path, mark, output = name.rpartition("#")
    if not mark or Path(name).expanduser().exists():
        return name, ""
    return path, output


def read_network(path: str | Path, *, input_size: tuple[int, int] | None = None) -> ForeignNetwork:
    """Read a network, in eval mode, on the CPU, for images of a size.

    `input_size` is needed where the file leaves it open, and is 224x224 without it. Of a network
    with several outputs, `path#NAME` takes one. No code in the file is executed.

    Raises RequestError for a file that is damaged, is of no network, or has what convscope cannot
    build.
    """
    name, output = _split(str(path))
    with torch.device("cpu"):  # whatever the caller's is: the file's numbers are worked with
        return _read(Path(name).expanduser(), output, input_size)


def _read(path: Path, output: str, input_size: tuple[int, int] | None) -> ForeignNetwork:
    try:
        if not path.name.lower().endswith(".json"):
            with open_keras(path) as opened:
                content = with_output(opened.content, output, str(path))
                file = replace(opened, content=content)
                read = keras_network(file, str(path), input_size)
                return replace(read, architecture=keras_table(file))
        text = read_regular(path, limit=_MAX_JSON).decode("utf-8", "replace")
    except FileNotFoundError as error:
        raise RequestError(f"There is no file {path}.") from error
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror or error}.") from error
    content: Any = parse_json(text, where=str(path))
    if is_convnetjs(content):
        if output:
            raise RequestError(f"{path} has one output, without a name; leave out #{output}.")
        return replace(read_convnetjs(content, str(path)), architecture=convnetjs_table(content))
    raise RequestError(
        f"{path} is JSON, and no network of ConvNetJS (`net.toJSON()`). Of Keras, give the whole "
        "network: `model.save('network.keras')`."
    )

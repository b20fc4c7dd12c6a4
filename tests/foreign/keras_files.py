"""Files as Keras writes them, by hand: architecture as JSON, weights by h5py."""

import io
import json
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

NAMES = {
    "Conv2D": ["kernel", "bias"],
    "Conv2DTranspose": ["kernel", "bias"],
    "DepthwiseConv2D": ["kernel", "bias"],
    "Dense": ["kernel", "bias"],
    "BatchNormalization": ["gamma", "beta", "moving_mean", "moving_variance"],
    "PReLU": ["alpha"],
}
FOLDERS = {
    "Conv2D": "conv2d",
    "Conv2DTranspose": "conv2d_transpose",
    "DepthwiseConv2D": "depthwise_conv2d",
    "Dense": "dense",
    "BatchNormalization": "batch_normalization",
    "PReLU": "p_re_lu",
    "Sequential": "sequential",
}


def layer(kind: str, name: str, weights=(), **settings):
    return {"class_name": kind, "config": {"name": name, **settings}, "weights": weights}


def sequential(shape, *layers, name="net"):
    first = layer("InputLayer", "image", batch_shape=[None, *shape])
    return {"class_name": "Sequential", "config": {"name": name, "layers": [first, *layers]}}


def functional(shape, calls, output, name="net"):
    """`calls` are pairs of a layer and the lists of (layer, call) that it takes, a list a call."""
    first = {**layer("InputLayer", "image", batch_shape=[None, *shape]), "name": "image"}
    layers = [{**first, "inbound_nodes": []}]
    for one, taken in calls:
        nodes = []
        for refs in taken:
            tensors = [
                {"class_name": "__keras_tensor__", "config": {"keras_history": [name, call, 0]}}
                for name, call in refs
            ]
            nodes.append({"args": [tensors if len(tensors) > 1 else tensors[0]], "kwargs": {}})
        layers.append({**one, "name": one["config"]["name"], "inbound_nodes": nodes})
    config = {
        "name": name,
        "layers": layers,
        "input_layers": [["image", 0, 0]],
        "output_layers": [[output, 0, 0]],
    }
    return {"class_name": "Functional", "config": config}


def write_keras(path: Path, network, *, version="3.15.1", compression=zipfile.ZIP_STORED) -> Path:
    """A .keras file."""
    import h5py  # noqa: PLC0415 -- an extra

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        _write_numbered(file.create_group("layers"), network)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("config.json", json.dumps(_bare(network)))
        archive.writestr("model.weights.h5", buffer.getvalue())
    return path


def write_h5(path: Path, network, *, version="2.15.0") -> Path:
    """An .h5 file of a whole network."""
    import h5py  # noqa: PLC0415 -- an extra

    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(_bare(network))
        file.attrs["keras_version"] = version
        weights = file.create_group("model_weights")
        for one in network["config"]["layers"]:
            name = one["config"]["name"]
            group = weights.create_group(name)
            names = []
            for folder, short, values in _named(one, name):
                group[f"{folder}/{short}:0"] = np.asarray(values, dtype=np.float32)
                names.append(f"{folder}/{short}:0".encode())
            group.attrs["weight_names"] = names
    return path


def _named(one, folder):
    if "layers" in one["config"]:
        for inner in one["config"]["layers"]:
            yield from _named(inner, inner["config"]["name"])
    for short, values in zip(
        NAMES.get(one["class_name"], []), one.get("weights", ()), strict=False
    ):
        yield folder, short, values


def _write_numbered(group, network) -> None:
    used = Counter()
    for one in network["config"]["layers"]:
        kind = FOLDERS.get(one["class_name"], one["class_name"].lower())
        number = used[kind]
        used[kind] += 1
        own = group.create_group(f"{kind}_{number}" if number else kind)
        if "layers" in one["config"]:
            _write_numbered(own.create_group("layers"), one)
        for index, values in enumerate(one.get("weights", ())):
            own[f"vars/{index}"] = np.asarray(values, dtype=np.float32)


def _bare(value):
    if isinstance(value, dict):
        return {key: _bare(one) for key, one in value.items() if key != "weights"}
    return [*map(_bare, value)] if isinstance(value, list | tuple) else value

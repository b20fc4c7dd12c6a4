"""What the columns of Parquet and Arrow files are: by Hugging Face's metadata, or their types."""

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convscope.data.column_names import FILES, PATHS, plain
from convscope.errors import RequestError


@dataclass(frozen=True)
class Feature:
    """A column, described as the library `datasets` does: an Image, a ClassLabel, a Value."""

    _type: str
    names: tuple[str, ...] = ()


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote a folder."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def import_arrow(where: object, module: str = "pyarrow") -> Any:
    """The library that reads the files. Raises RequestError where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise RequestError(
            f"{where}: Parquet and Arrow files are read by pyarrow, which is not installed: "
            '`pip install "convscope[huggingface]"`.'
        ) from error


def features_of(schema: Any) -> dict[str, Feature]:
    """The columns of a schema. Bytes, records with `bytes`, and texts with a usual header of paths
    are images.
    """
    known = _described(schema.metadata or {})
    return {f.name: known.get(f.name) or _by_type(f.name, f.type) for f in schema}


def _described(metadata: Mapping[bytes, bytes]) -> dict[str, Feature]:
    """The features in the metadata that `datasets` writes; none where there are none."""
    try:
        features = json.loads(metadata.get(b"huggingface", b""))["info"]["features"]
        return {
            name: Feature(str(one["_type"]), tuple(map(str, one.get("names") or ())))
            for name, one in features.items()
            if isinstance(one, dict) and "_type" in one
        }
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}


def _by_type(name: str, kind: Any) -> Feature:
    text = str(kind)
    is_image = (
        text in {"binary", "large_binary"}
        or (text.startswith("struct<") and "bytes: " in text)
        or (text in {"string", "large_string"} and plain(name) in PATHS | FILES)
    )
    return Feature("Image" if is_image else "Value")

"""What the columns of Parquet and Arrow files are: by Hugging Face's metadata, or their types."""

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from convscope.data.column_names import FILES, PATHS, plain
from convscope.errors import RequestError


@dataclass(frozen=True)
class Feature:
    """A column, described as the library `datasets` does: an Image, a ClassLabel, a Value.

    Attributes:
        feature: of a list, what is in it.
    """

    _type: str
    names: tuple[str, ...] = ()
    feature: "Feature | None" = None

    @classmethod
    def of(cls, written: Any) -> "Feature | None":
        """The feature as JSON has it; None where it has none."""
        if isinstance(written, list) and written:  # how older versions write a list
            return cls("List", (), cls.of(cast("list[Any]", written)[0]))
        if not isinstance(written, dict) or "_type" not in written:
            return None
        values = cast("dict[str, Any]", written)
        names = tuple(map(str, values.get("names") or ()))
        return cls(str(values["_type"]), names, cls.of(values.get("feature")))


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
        found = {str(name): Feature.of(written) for name, written in features.items()}
        return {name: feature for name, feature in found.items() if feature is not None}
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

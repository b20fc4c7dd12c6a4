"""`class_names`: the names of a network's outputs, from a list, a file, or a line of text."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from convscope.errors import RequestError
from convscope.regular_files import read_regular
from convscope.strict import parse_json
from convscope.weights.contents import ClassNames, class_names_in
from convscope.weights.imagenet_names import HOW_TO_GET, imagenet_names

ClassNamesLike = str | Path | Sequence[str] | Mapping[Any, Any]
"""What `class_names` takes; see `parse_class_names`."""

_FORMS = (
    "names with commas between them, a text file with one name per line, a JSON file with a list, "
    "{name: index} or {index: name}, or imagenet"
)


def parse_class_names(value: ClassNamesLike) -> ClassNames:
    """Class names in the order of the outputs.

    A text is one of the forms of the command line: names with commas between them, `imagenet`, or
    the path of a file with one name per line or of JSON. Torchvision's `dataset.class_to_idx` and
    Keras's `{"0": ["n01440764", "tench"]}` are understood too.

    Raises RequestError for anything else, for fewer than two names, and for one name twice.

    >>> parse_class_names("cat, dog")
    ('cat', 'dog')
    >>> parse_class_names({"dog": 1, "cat": 0})
    ('cat', 'dog')
    """
    if isinstance(value, Mapping):
        return _checked(_from_dict(dict(value)), "`class_names`")
    if not isinstance(value, str | Path):
        return _checked([str(name) for name in value], "`class_names`")
    if str(value) == "imagenet":
        names = imagenet_names()
        if names is None:
            raise RequestError(f"{HOW_TO_GET}. Neither is installed here.")
        return names
    path = Path(value).expanduser()
    if path.is_file():
        return _checked(_from_file(path), str(path))
    if "," not in str(value):
        raise RequestError(f"`class_names` names no file {str(value)!r}. Give {_FORMS}.")
    try:
        lines = list(csv.reader(io.StringIO(str(value), newline=""), skipinitialspace=True))
    except csv.Error as error:
        raise RequestError(f"`class_names`: {error}. Give {_FORMS}.") from error
    if len(lines) != 1:
        raise RequestError(f"`class_names` has {len(lines)} lines, not one. Give {_FORMS}.")
    return _checked([name.strip() for name in lines[0]], "`class_names`")


def to_text(value: object) -> object:
    """Class names as one line of text, from a list or dict; anything else as it is."""
    if isinstance(value, Path):
        return str(value)
    if not isinstance(value, Mapping | list | tuple):
        return value
    line = io.StringIO()
    row = csv.writer(line, lineterminator="")  # noqa: TID251 -- a setting, and no file
    row.writerow(parse_class_names(cast("Sequence[str]", value)))
    return line.getvalue()


def _from_file(path: Path) -> list[str]:
    try:
        text = read_regular(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} cannot be read as class names: {error}.") from error
    if not text.lstrip().startswith(("[", "{")):
        return [line.strip() for line in text.splitlines() if line.strip()]
    data: object = parse_json(text, where=str(path))
    if isinstance(data, dict):
        return _from_dict(cast("dict[Any, Any]", data), where=str(path))
    return [str(name) for name in cast("list[Any]", data)]


def _from_dict(names: dict[Any, Any], where: str = "`class_names`") -> list[str]:
    found = class_names_in({key: _last(value) for key, value in names.items()})
    if found is None:
        raise RequestError(
            f"{where} is neither {{name: index}} nor {{index: name}} with the indices 0 to "
            f"{len(names) - 1}, each once."
        )
    return list(found)


def _last(value: object) -> object:
    """The name in Keras's [synset, name]; anything else as it is."""
    match value:
        case [str(), str(name)]:
            return name
        case _:
            return value


def _checked(names: Sequence[str], where: str) -> ClassNames:
    twice = [name for index, name in enumerate(names) if name in names[:index]]
    if len(names) < 2 or twice or not all(names):
        problem = (
            f"has {twice[0]!r} twice"
            if twice
            else "has an empty name"
            if not all(names)
            else f"has {len(names)} name{'' if len(names) == 1 else 's'}; it needs two or more"
        )
        raise RequestError(f"{where} {problem}. Give {_FORMS}.")
    return tuple(names)

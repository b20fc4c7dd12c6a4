"""What a lab was given to train with: data and networks, called by names and never by paths."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from convscope.data.source import NAMES
from convscope.errors import RequestError, nearest
from convscope.lab.jobs.form import LEFT_OUT
from convscope.runs.index import read_config
from convscope.training.config import TrainConfig
from convscope.zoo import ZOO
from convscope.zoo.table_file import is_table

_HUBS = ("torchvision:", "timm:")


class DataSources:
    """Data and networks of a lab beside the named sources and the zoo.

    `data` are folders and CSVs, `models` layer tables and `module:attr`. Each is called by the last
    part of its path, a second one of the same name NAME-2.

    Attributes:
        models: what each network is built from, by its name.
    """

    def __init__(self, data: Sequence[str], models: Sequence[str]) -> None:
        places = [str(Path(place).expanduser().resolve()) for place in data]
        self._data = _named(places, NAMES)
        tables = [str(Path(model).resolve()) for model in models if is_table(model)]
        own = {model: model for model in models if ":" in model and not is_table(model)}
        self.models = own | _named(tables, [*ZOO, *own])

    def data(self, runs: Collection[Path]) -> dict[str, str]:
        """Where the data lie that are no named source: those given, and those of the runs."""
        known = (read_config(path).get("data") for path in sorted(runs))
        others = [place for place in known if isinstance(place, str) and place not in NAMES]
        own = [place for place in others if place not in self._data.values()]
        return self._data | _named(own, [*NAMES, *self._data])

    def told(self, runs: Collection[Path]) -> list[dict[str, Any]]:
        """The same for the page: each with a sentence that tells two of one name apart."""
        return [
            {
                "name": name,
                "description": _describe(Path(place)),
                "needs_download": False,
            }
            for name, place in self.data(runs).items()
        ]

    def place(self, data: object, runs: Collection[Path]) -> str:
        """What `convscope train` calls some data. Raises RequestError for an unknown name."""
        if data in NAMES:
            return str(data)
        known = self.data(runs)
        if not isinstance(data, str) or data not in known:
            raise RequestError(
                f"This lab has no data {data!r}.{nearest(str(data), [*NAMES, *known])} A folder or "
                "a CSV is given to it with `convscope lab --data PATH`."
            )
        return known[data]

    def model(self, name: str) -> str:
        """What a network is built from. Raises RequestError for an unknown name."""
        if name not in ZOO and name not in self.models:
            raise RequestError(
                f"This lab has no network {name!r}.{nearest(name, [*ZOO, *self.models])} A layer "
                "table or module:attr is given to it with `convscope lab NETWORK`."
            )
        return self.models.get(name, name)

    def checked(self, settings: Mapping[str, Any], path: Callable[[str], Path]) -> dict[str, Any]:
        """The settings that were set, as TOML has them, names made into what they stand for.

        `path` finds a run. Raises RequestError for whatever cannot be meant.
        """
        words = {word: value for word, value in settings.items() if value is not None}
        for word in words:
            if word in LEFT_OUT:
                raise RequestError(f"{word} is not set from the page. {LEFT_OUT[word]}")
        model, weights = words.get("model"), words.get("weights")
        if isinstance(model, str):
            words["model"] = self.model(model)
        if isinstance(weights, str) and not weights.startswith(_HUBS):
            words["weights"] = str(path(weights))
        plain = TrainConfig.from_dict(words, source="The training").to_dict()
        return {word: plain[word] for word in words}


def unused_name(name: str, taken: Collection[str]) -> str:
    """`name`, or the first of name-2, name-3 ... that is not taken.

    >>> free_name("a", {"a", "a-2"})
    'a-3'
    """
    number, free = 2, name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def _named(places: Sequence[str], taken: Collection[str]) -> dict[str, str]:
    """Places by their last parts, which are not yet taken."""
    found: dict[str, str] = {}
    for place in dict.fromkeys(places):
        found[unused_name(Path(place).name, {*taken, *found})] = place
    return found


def _describe(path: Path) -> str:
    kind = "table" if path.is_file() else "folder"
    return f"The {kind} {path.name} in {path.parent.name}"

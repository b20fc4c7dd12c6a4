"""The data and networks that a lab can train with, called by names and never by paths."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from convscope.data.source import NAMES
from convscope.errors import RequestError, nearest
from convscope.runs.index import read_config
from convscope.training.config import AUTO, TrainConfig
from convscope.training.setting import settings_of
from convscope.webapp.jobs.form import LEFT_OUT
from convscope.zoo import ZOO
from convscope.zoo.table_file import is_table

_HUBS = ("torchvision:", "timm:")


class DataSources:
    """Data and networks that were given to a lab, beside the named data sets and the zoo.

    `data` are folders and CSVs, `models` layer tables and `module:attr`. Each is called by the last
    part of its path, a second one of the same name NAME-2.

    Attributes:
        given: the paths of the data, by name.
        models: what each network is built from, by its name.
    """

    def __init__(self, data: Sequence[str], models: Sequence[str]) -> None:
        paths = [str(Path(path).expanduser().resolve()) for path in data]
        self.given = _named(paths, NAMES)
        tables = [str(Path(model).resolve()) for model in models if is_table(model)]
        imported = {model: model for model in models if ":" in model and not is_table(model)}
        self.models = imported | _named(tables, [*ZOO, *imported])

    def local_data(self, runs: Collection[Path]) -> dict[str, str]:
        """The paths of data by name: those given to the lab, and those of the runs."""
        configured = (read_config(run).get("data") for run in sorted(runs))
        paths = [path for path in configured if isinstance(path, str) and path not in NAMES]
        others = [path for path in paths if path not in self.given.values()]
        return self.given | _named(others, [*NAMES, *self.given])

    def local_data_rows(self, runs: Collection[Path]) -> list[dict[str, Any]]:
        """Name and description of each, for the page's form."""
        return [
            {"name": name, "description": _describe(Path(path)), "needs_download": False}
            for name, path in self.local_data(runs).items()
        ]

    def data_path(self, data: object, runs: Collection[Path]) -> str:
        """What `convscope train` calls some data. Raises RequestError for an unknown name."""
        if data in NAMES:
            return str(data)
        paths = self.local_data(runs)
        if not isinstance(data, str) or data not in paths:
            raise RequestError(
                f"This lab has no data {data!r}.{nearest(str(data), [*NAMES, *paths])} Add a "
                "folder or a CSV with `convscope lab --data PATH`."
            )
        return paths[data]

    def model(self, name: str) -> str:
        """What a network is built from. Raises RequestError for an unknown name."""
        if name not in ZOO and name not in self.models:
            raise RequestError(
                f"This lab has no network {name!r}.{nearest(name, [*ZOO, *self.models])} Add a "
                "layer table or module:attr with `convscope lab NETWORK`."
            )
        return self.models.get(name, name)

    def checked_settings(
        self, settings: Mapping[str, Any], run_path: Callable[[str], Path]
    ) -> dict[str, Any]:
        """The settings that are set, as TOML has them, with paths in place of names.

        `run_path` finds the folder of a run. Raises RequestError for an invalid setting, also for
        a synonym of one: a page must not name by another word what is checked by its own.
        """
        chosen = {name: value for name, value in settings.items() if value is not None}
        known = settings_of(TrainConfig)
        for name in chosen:
            if name not in known:
                raise RequestError(f"Unknown setting {name!r}.{nearest(name, known)}")
            if name in LEFT_OUT:
                raise RequestError(f"{name} cannot be set from the page. {LEFT_OUT[name]}")
        if ":" in str(chosen.get("augment", "")):
            raise RequestError(
                "augment cannot be code from the page: pass it to `convscope train`."
            )
        model, weights = chosen.get("model"), chosen.get("weights")
        if isinstance(model, str) and model != AUTO:
            chosen["model"] = self.model(model)
        if isinstance(weights, str) and not weights.startswith(_HUBS):
            chosen["weights"] = str(run_path(weights))
        config = TrainConfig.from_dict(chosen, source="The training").to_dict()
        return {name: config[name] for name in chosen}


def unused_name(name: str, taken: Collection[str]) -> str:
    """`name`, or the first of name-2, name-3 ... that is not taken.

    >>> unused_name("a", {"a", "a-2"})
    'a-3'
    """
    number, unused = 2, name
    while unused in taken:
        unused, number = f"{name}-{number}", number + 1
    return unused


def _named(paths: Sequence[str], taken: Collection[str]) -> dict[str, str]:
    """Paths by their last parts, or by those with a number where they are taken."""
    named: dict[str, str] = {}
    for path in dict.fromkeys(paths):
        named[unused_name(Path(path).name, {*taken, *named})] = path
    return named


def _describe(path: Path) -> str:
    kind = "table" if path.is_file() else "folder"
    return f"The {kind} {path.name} in {path.parent.name}"

"""Settings that were given and have no effect: refused or told, never passed over in silence.

What excludes other settings is refused where they are made, by `TrainConfig`. What merely has no
effect is told, and training goes on: a setting says by `only_if` with which values of other
settings it has one, and `_BY_DATA` with which data.
"""

from collections.abc import Callable, Collection
from typing import Any

from convscope.data.dataset import Dataset
from convscope.data.source import NAMES
from convscope.errors import RequestError
from convscope.training.config import TrainConfig
from convscope.training.setting import settings_of


def without_effect(config: TrainConfig, given: Collection[str]) -> list[str]:
    """A sentence for each setting of `given` that has no effect, given the others.

    Only settings that a person gave are told: the config of a run lists all of them.

    >>> [sentence] = without_effect(TrainConfig(nesterov=True, optimizer="adamw"), {"nesterov"})
    >>> sentence
    "`nesterov=True` has no effect with `optimizer='adamw'`, only with `optimizer='sgd'`."
    """
    config = config.with_defaults()
    told: list[str] = []
    for name, field in settings_of(TrainConfig).items():
        value = getattr(config, name)
        if name not in given or value is None or value == field.setting.off:
            continue
        for other, allowed in field.setting.only_if.items():
            actual = getattr(config, other)
            if actual not in allowed:
                words = " or ".join(f"`{other}={one!r}`" for one in allowed if one is not None)
                only = f", only with {words}" if words else ""
                told.append(
                    f"{_spelled(name, value)} has no effect with `{other}={actual!r}`{only}."
                )
                break
    return told


def _spelled(name: str, value: Any) -> str:
    return f"`{name}`" if isinstance(value, tuple) else f"`{name}={value!r}`"


def _has(split: str) -> Callable[[Dataset, object], bool]:
    return lambda dataset, _data: split in dataset.split


_BY_DATA: dict[str, tuple[Callable[[Dataset, object], bool], str]] = {
    "val": (_has("val"), "the data has a validation split of its own"),
    "test": (_has("test"), "the data has a test split of its own"),
    "split_seed": (
        lambda dataset, data: _has("val")(dataset, data) and _has("test")(dataset, data),
        "the data has splits of its own",
    ),
    "data_dir": (
        lambda _dataset, data: not (isinstance(data, str) and data in NAMES),
        "it is searched for named data sets only",
    ),
}


def without_effect_on(dataset: Dataset, data: object, given: Collection[str]) -> list[str]:
    """A sentence for each setting of `given` that has no effect on the data as it is."""
    return [
        f"`{name}` has no effect: {why}."
        for name, (applies, why) in _BY_DATA.items()
        if name in given and applies(dataset, data)
    ]


def check_validation(config: TrainConfig, dataset: Dataset, given: Collection[str]) -> list[str]:
    """Refuse settings that need validation images where there are none.

    Returns a sentence if the metric that chooses the best weights was given in vain.

    Raises RequestError.
    """
    if len(dataset.indices("val")):
        return []
    for name, asked in {
        "`lr_schedule='plateau'`": config.lr_schedule == "plateau",
        f"`early_stopping_patience={config.early_stopping_patience}`": (
            config.early_stopping_patience > 0
        ),
    }.items():
        if asked:
            raise RequestError(f"{name} needs validation images, and `val=0` holds out none.")
    if "metric" in given:
        why = "`val=0` holds out no validation images, so the last weights are kept"
        return [f"`metric='{config.metric}'` has no effect: {why}."]
    return []

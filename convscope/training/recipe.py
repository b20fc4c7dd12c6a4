"""A recipe's settings below those that a person gave."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from convscope.data.source import NAMES, DataLike
from convscope.evaluation.multi_label import AnyMetrics
from convscope.recipes import list_recipes, read_recipe
from convscope.recipes.outcome import Outcome
from convscope.runs.folder import Run
from convscope.training.config import TrainConfig


def requested_config(given: Mapping[str, Any]) -> TrainConfig:
    """The settings of a call in Python, with those of their recipe below them.

    Raises RequestError as `TrainConfig.from_dict` and `with_recipe`.
    """
    return with_recipe(TrainConfig.from_dict(given), given.keys())


def with_recipe(config: TrainConfig, given: Collection[str]) -> TrainConfig:
    """The settings, with those of its recipe where they are not `given`.

    Raises RequestError for a recipe that is unknown, and for settings that contradict it.
    """
    if config.recipe is None:
        return config
    recipe = read_recipe(config.recipe)
    settings = TrainConfig.from_dict(recipe.settings, source=f"{recipe.name}.toml")
    taken = {name: getattr(settings, name) for name in recipe.settings if name not in given}
    if "weights" in given:
        taken.pop("pretrained", None)
    return replace(config, **taken)


def outcome_of(run: Run, metrics: AnyMetrics, *, epochs: int) -> Outcome | None:
    """What a run with a recipe reached; None for one without."""
    config = run.read_config()
    if config.get("recipe") not in list_recipes():
        return None
    recipe = read_recipe(config["recipe"])
    return Outcome.of(recipe, config, metrics, epochs=epochs, named=config["data"] in NAMES)


def announcement(name: str, data: DataLike) -> str:
    """What a training by a recipe says at its start."""
    recipe = read_recipe(name)
    other = isinstance(data, str) and data in NAMES and recipe.classes and data != recipe.data
    elsewhere = f" Its figures are for {recipe.data}, not for {data}." if other else ""
    return f"Recipe {name}: {recipe.title}, {recipe.paper}.{elsewhere}"

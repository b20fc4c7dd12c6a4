"""Papers' recipes as presets of settings, one TOML file each.

A file says how was trained, what of it this program cannot do, and what was measured with it. The
published figures are those of `convscope.published`; `convscope.recipes.outcome` sets the result of
a run beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Required, TypedDict

from convscope.errors import RequestError, nearest
from convscope.published import Percent, PublishedTable, of_recipe
from convscope.strict import Between, checked, parse_toml


class MeasuredTable(TypedDict, total=False):
    """A run of the recipe here. `shortened` says in what, and is left out of one in full."""

    command: Required[str]
    machine: Required[str]
    time: Required[str]
    error: Required[Percent]
    images: Required[Annotated[int, Between(1, 10**9)]]
    shortened: str


class RecipeFile(TypedDict, total=False):
    """A recipe's file. The settings are those of `TrainConfig`, which checks them."""

    title: Required[str]
    paper: Required[str]
    data: Required[str]
    classes: Required[Annotated[int, Between(0, 10**6)]]
    command: Required[str]
    then: str
    deviations: Required[list[str]]
    settings: Required[dict[str, Any]]
    measured: list[MeasuredTable]


@dataclass(frozen=True)
class Recipe:
    """What is known of a recipe.

    Attributes:
        name: by which `recipe` takes it.
        title: network and data, for a list.
        paper: authors, year, address and section.
        data: what the published figures were measured on: a named data set, or imagenet.
        classes: of these data; 0 for a recipe that is for any data.
        command: what runs it.
        then: what trains other networks from the run of `command`; "" for most.
        deviations: what is not as the paper has it, a sentence each.
        settings: by name, as TOML has them.
        published: the paper's figures, by network.
        measured: runs of it here.
    """

    name: str
    title: str
    paper: str
    data: str
    classes: int
    command: str
    then: str
    deviations: tuple[str, ...]
    settings: Mapping[str, Any]
    published: Mapping[str, PublishedTable]
    measured: tuple[MeasuredTable, ...]


def list_recipes() -> list[str]:
    """The names of all recipes, in alphabetical order."""
    found = files("convscope.recipes").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in found if file.name.endswith(".toml"))


@cache
def read_recipe(name: str) -> Recipe:
    """A recipe by its name. Raises RequestError, with the nearest name, for one that is unknown."""
    if name not in list_recipes():
        raise RequestError(
            f"There is no recipe {name!r}.{nearest(name, list_recipes())} `convscope recipes` "
            "lists them."
        )
    text = files("convscope.recipes").joinpath(f"{name}.toml").read_text("utf-8")
    where = f"{name}.toml"
    held: RecipeFile = checked(parse_toml(text, where=where), RecipeFile, where=where)
    return Recipe(
        name,
        held["title"],
        held["paper"],
        held["data"],
        held["classes"],
        held["command"],
        held.get("then", ""),
        tuple(held["deviations"]),
        held["settings"],
        of_recipe(name),
        tuple(held.get("measured", [])),
    )

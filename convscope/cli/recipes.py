"""`convscope recipes`."""

import textwrap
from dataclasses import asdict
from typing import Any

from convscope.cli.json_output import print_json
from convscope.cli.options import Json
from convscope.recipes import MeasuredTable, Recipe, list_recipes, read_recipe
from convscope.words.screen import Screen

_WIDTH = 96


def recipes(name: str = "", /, *, json: Json = False) -> None:
    """List the papers' recipes, or describe one: settings, deviations, figures, command.

    Parameters
    ----------
    name
        The recipe to describe, as "resnet-cifar10"; by default all are listed.
    """
    found = [read_recipe(one) for one in ([name] if name else list_recipes())]
    if json:
        values = {recipe.name: _plain(recipe) for recipe in found}
        print_json(values[name] if name else values)
        return
    screen = Screen()
    if name:
        _describe(found[0], screen)
        return
    width = max(len(recipe.name) for recipe in found)
    for recipe in found:
        screen.say(f"  {recipe.name:{width}}  {recipe.title}{_main_figure(recipe)}")
    screen.say()
    screen.say("Next:  convscope recipes NAME           (settings, deviations, figures)")
    screen.say("       convscope train DATA --recipe NAME")


def _plain(recipe: Recipe) -> dict[str, Any]:
    values = asdict(recipe)
    return {**values, "published": [*recipe.published.values()]}


def _main_figure(recipe: Recipe) -> str:
    figure = recipe.published.get(recipe.settings.get("model", ""))
    return f"; published error {figure['error']:.2f}%" if figure else ""


def _describe(recipe: Recipe, screen: Screen) -> None:
    screen.print(f"[bold]{recipe.title}[/bold]")
    _say(screen, recipe.paper)
    screen.say()
    screen.say("Settings")
    width = max(map(len, recipe.settings))
    for name, value in recipe.settings.items():
        screen.say(f"  {name:{width}}  {_text(value)}")
    if recipe.published:
        screen.say()
        screen.say(f"Published test errors on {recipe.data}")
    for name, figure in recipe.published.items():
        top5 = f", top-5 {figure['top5_error']:.2f}%" if "top5_error" in figure else ""
        _say(screen, f"{name}: {figure['error']:.2f}%{top5} ({figure['source']})")
    if recipe.deviations:
        screen.say()
        screen.say("Not as in the paper")
    for sentence in recipe.deviations:
        _say(screen, f"- {sentence}")
    for run in recipe.measured:
        screen.say()
        screen.say("As run here")
        _say(screen, _measured(run))
    screen.say()
    screen.say(f"Next:  {recipe.command}")
    if recipe.then:
        screen.say(f"Then:  {recipe.then}")


def _measured(run: MeasuredTable) -> str:
    shortened = f" Shortened: {run['shortened']}." if "shortened" in run else ""
    return (
        f"{run['command']}: test error {run['error']:.2f}% on {run['images']:,} images, in "
        f"{run['time']} on {run['machine']}.{shortened}"
    )


def _text(value: object) -> str:
    values: Any = value
    return " ".join(map(_text, values)) if isinstance(value, list) else str(value)


def _say(screen: Screen, sentence: str) -> None:
    hanging = "    " if sentence.startswith("- ") else "  "
    for line in textwrap.wrap(
        sentence, _WIDTH, initial_indent="  ", subsequent_indent=hanging, break_long_words=False
    ):
        screen.say(line)

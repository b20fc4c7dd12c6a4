#!/usr/bin/env python3
"""Write docs/recipes.md: the papers' recipes, their figures, and what is not as in the paper."""

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "recipes.md"
sys.path.insert(0, str(ROOT))

from convscope.recipes import Recipe, list_recipes, read_recipe  # noqa: E402

HEAD = """# Recipes

A recipe is a paper's training as a preset of settings. `convscope recipes` lists them, `convscope
recipes NAME` shows one: its settings, the published errors, what is not as in the paper, and what
was run here.

<!-- example: not run: takes hours -->
```sh
convscope train cifar10 --recipe resnet-cifar10
convscope train cifar10 --recipe resnet-cifar10 --model resnet56_cifar --epochs 20
```

In Python it is `convscope.train("cifar10", recipe="resnet-cifar10")`, in a file `recipe =
"resnet-cifar10"`. What is given beside it wins; rates fall at fractions of the training, so they
fall in a shorter one, too.

The run ends with its test error and the 95% interval (Wilson's) beside the published error, and
says whether that lies inside, how many of the recipe's epochs were trained, and which settings were
others: at the end of the output, in `report.html`, in `recipe.json` of the run folder, and as
`result.recipe` in Python. The interval is that of the test images alone; another seed adds about
±0.2 points on CIFAR-10. On other data nothing is compared: named ones are known by their name, your
own files by the number of classes.

Each recipe is a file in `convscope/recipes/`; `scripts/recipes.py` writes this page from them. No
recipe was run here in full: the machine has two cores and no GPU. What was run is marked as
shortened.
"""


_NOT_RUN = "<!-- example: not run: takes hours or days -->"


def write() -> str:
    """The page as Markdown."""
    recipes = [read_recipe(name) for name in list_recipes()]
    table = ["| recipe | trains | published test errors |", "| --- | --- | --- |"]
    table += [f"| `{one.name}` | {one.title} | {_figures(one)} |" for one in recipes]
    parts = [line for one in recipes for line in _part(one)]
    return "\n".join([HEAD, *table, "", *parts]).rstrip("\n") + "\n"


def _figures(recipe: Recipe) -> str:
    shown = [
        f"`{name}` {figure['error']:.2f}%"
        + (f" / {figure['top5_error']:.2f}%" if "top5_error" in figure else "")
        for name, figure in recipe.published.items()
    ]
    return ", ".join(shown) or "none"


def _part(recipe: Recipe) -> Iterator[str]:
    commands = filter(None, (recipe.command, recipe.then))
    command = (_NOT_RUN, "```sh", *commands, "```", "")
    yield from (f"## {recipe.name}", "", f"{recipe.paper}.", "", *command)
    sources = dict.fromkeys(figure["source"] for figure in recipe.published.values())
    if sources:
        yield from (f"Figures: {'; '.join(sources)}.", "")
    yield from (f"- {sentence}" for sentence in recipe.deviations)
    for run in recipe.measured:
        yield (
            f"- Run here: `{run['command']}`, {run['time']} on {run['machine']}: test error "
            f"{run['error']:.2f}% on {run['images']:,} images."
            + (f" **Shortened**: {run['shortened']}." if "shortened" in run else "")
        )
    yield ""


if __name__ == "__main__":
    PAGE.write_text(write(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written.")

"""The result of a run beside its recipe's paper."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convscope.evaluation.multi_label import AnyMetrics
from convscope.published import PublishedTable
from convscope.recipes import Recipe

FREE = (
    "cache", "cache_fraction", "cache_size", "checkpoint_seconds", "compile", "data_dir", "device",
    "engine", "precision", "seed", "simd_width", "split_seed", "threads", "epochs", "recipe",
)  # fmt: skip
"""Settings that make no other recipe; of the length is told by itself."""


@dataclass(frozen=True)
class Outcome:
    """What a run of a recipe reached, and what its paper states.

    Attributes:
        recipe: its name, title and figures.
        model: the network that was trained.
        data: what the run was tested on.
        is_comparable: whether these may be the paper's images: by name, or by the number of their
            classes where they are files of the user.
        error: share of wrong answers on the test images, and its 95% interval; of objects, of
            images that are not all right.
        epochs: how many were trained, of how many in the recipe.
        changed: settings of the recipe that were others, as "lr 0.05 for 0.1".
    """

    recipe: Recipe
    model: str
    data: str
    is_comparable: bool
    error: float
    interval: tuple[float, float]
    top5_error: float | None
    images: int
    epochs: tuple[int, int]
    changed: tuple[str, ...]

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        config: Mapping[str, Any],
        metrics: AnyMetrics,
        *,
        epochs: int,
        named: bool,
    ) -> "Outcome":
        """The outcome of a run by its config.toml; `named` for one of a named data set."""
        low, high = metrics.interval
        top5 = metrics.top5
        data = str(config["dataset"]["name"])
        same = data == recipe.data if named else len(metrics.classes) == recipe.classes
        others = {name: value for name, value in recipe.settings.items() if name not in FREE}
        if "weights" in config:  # which a run has in place of `pretrained`
            others.pop("pretrained", None)
        return cls(
            recipe,
            str(config["model"]),
            data,
            same,
            1 - metrics.top1,
            (1 - high, 1 - low),
            None if top5 is None else 1 - top5,
            metrics.num_images,
            (epochs, recipe.settings["epochs"]),
            tuple(
                f"{name} {_shown(config.get(name))} for {_shown(value)}"
                for name, value in others.items()
                if config.get(name) != value
            ),
        )

    @property
    def finds_objects(self) -> bool:
        """Whether the recipe trains a network that finds objects."""
        return self.recipe.settings.get("task") == "detection"

    @property
    def published(self) -> PublishedTable | None:
        """The paper's figures for the network that was trained."""
        return self.recipe.published.get(self.model) if self.is_comparable else None

    @property
    def is_inside(self) -> bool | None:
        """Whether the published error lies inside the interval; None without one."""
        if self.published is None:
            return None
        low, high = self.interval
        return low <= self.published["error"] / 100 <= high

    @property
    def is_shortened(self) -> bool:
        done, full = self.epochs
        return done < full

    def describe(self) -> str:
        """The result beside the published one, and what was not as in the recipe."""
        low, high = self.interval
        what = "images that are not all right" if self.finds_objects else "test error"
        reached = f"{what} {self.error:.2%} (95% interval {low:.2%} to {high:.2%})"
        where = f"on {self.images:,} images of {self.data}"
        told = [f"Recipe {self.recipe.name}: {reached} {where}; {self._told_of_paper()}"]
        if self.is_inside is not None:
            where = "inside" if self.is_inside else "outside"
            told.append(f"The published error lies {where} the interval.")
        done, full = self.epochs
        if self.is_shortened:
            told.append(f"The run was shortened: {done} of {full} epochs.")
        elif done > full:
            told.append(f"The run was longer: {done} epochs, not {full}.")
        if self.changed:
            told.append(f"Other settings than the recipe's: {'; '.join(self.changed)}.")
        if self.recipe.deviations:
            told.append(
                f"`convscope recipes {self.recipe.name}` lists what differs from the paper."
            )
        return " ".join(told)

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON: errors are shares."""
        published = self.published
        return {
            "name": self.recipe.name,
            "model": self.model,
            "error": self.error,
            "interval": [*self.interval],
            "top5_error": self.top5_error,
            "images": self.images,
            "published_error": None if published is None else published["error"] / 100,
            "published_top5_error": _share(published, "top5_error"),
            "source": None if published is None else published["source"],
            "inside": self.is_inside,
            "epochs": self.epochs[0],
            "recipe_epochs": self.epochs[1],
            "shortened": self.is_shortened,
            "changed": [*self.changed],
        }

    def _told_of_paper(self) -> str:
        recipe, published = self.recipe, self.published
        if not recipe.published:
            return "it has no published figure."
        if not self.is_comparable:
            return f"the paper's is for {recipe.data}, and is not comparable."
        if published is None:
            return f"the paper has none for {self.model}."
        top5 = ""
        if self.top5_error is not None and "top5_error" in published:
            top5 = f", top-5 {published['top5_error']:.2f}% (here {self.top5_error:.2%})"
        return f"published {published['error']:.2f}%{top5} ({published['source']})."


def _share(published: PublishedTable | None, name: str) -> float | None:
    percent = (published or {}).get(name)
    return percent / 100 if isinstance(percent, int | float) else None


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(_shown, value))  # pyright: ignore[reportUnknownArgumentType]
    return "nothing" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

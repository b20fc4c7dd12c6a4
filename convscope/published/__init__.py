"""What papers state: results, counts of parameters, and the winners of ILSVRC, with their sources.

Three hand-written TOML files beside this one; nothing in them was computed here.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal, Required, TypedDict

from convscope.strict import Between, checked, parse_toml

Percent = Annotated[float, Between(0, 100)]


class PublishedTable(TypedDict, total=False):
    """A figure of the paper, for one network: test errors in percent."""

    model: Required[str]
    error: Required[Percent]
    top5_error: Percent
    source: Required[str]


class _Result(TypedDict, total=False):
    data: Required[str]
    model: Required[str]
    error: Percent
    top5_error: Percent
    crops: str
    scales: list[int]
    networks: int
    source: Required[str]
    recipe: str


class _Count(TypedDict, total=False):
    model: Required[str]
    quantity: Literal["parameters", "multiply_adds"]
    count: Required[int]
    unit: Required[int]
    source: Required[str]
    difference: str


class _Winner(TypedDict, total=False):
    year: Required[int]
    team: Required[str]
    network: str
    layers: int
    error: Required[Percent]
    source: Required[str]


class _Human(TypedDict):
    error: Percent
    images: int
    source: str


class _Results(TypedDict):
    result: list[_Result]


class _Counts(TypedDict):
    count: list[_Count]


class _History(TypedDict):
    winner: list[_Winner]
    human: _Human


@dataclass(frozen=True, kw_only=True)
class PublishedResult:
    """What a paper states of a network on a data set.

    Attributes:
        error: share of wrong answers; None where only the top-5 error is stated.
        top5_error: share of images whose class is not among the five most probable, or None.
        crops: the views of an image, as `evaluate` calls them; "" for the whole image.
        scales: lengths of the shorter side; empty where that of the crop goes without saying.
        networks: how many networks' answers are averaged.
    """

    data: str
    model: str
    error: float | None
    top5_error: float | None
    crops: str
    scales: tuple[int, ...]
    networks: int
    source: str

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "scales": list(self.scales)}


@dataclass(frozen=True, kw_only=True)
class PublishedCount:
    """A count that a paper states of a network.

    Attributes:
        quantity: "parameters" or "multiply_adds".
        unit: what it is rounded to.
        difference: why the network here has another one; "" where it rounds to the same.
    """

    model: str
    quantity: str
    count: int
    unit: int
    source: str
    difference: str

    def is_met(self, ours: int) -> bool:
        """Whether a count rounds to the stated one."""
        return (ours + self.unit // 2) // self.unit * self.unit == self.count

    def describe(self, ours: int) -> str:
        """The stated count beside ours, and why they differ if they do."""
        name = self.quantity.replace("_", "-")
        stated = f"The paper states {format_rounded(self.count, self.unit)} {name} ({self.source})"
        if self.is_met(ours):
            return (
                f"{stated}, as here." if self.unit == 1 else f"{stated}, to which {ours:,} round."
            )
        return f"{stated}; here they are {ours:,}. {self.difference}".strip()


@dataclass(frozen=True, kw_only=True)
class Winner:
    """The winner of a year of ILSVRC; `error` is the top-5 error, a share."""

    year: int
    team: str
    network: str
    layers: int | None
    error: float
    source: str


@dataclass(frozen=True, kw_only=True)
class IlsvrcHistory:
    """The winners by year, and the top-5 error of a person, a share, on so many images."""

    winners: tuple[Winner, ...]
    human_error: float
    human_images: int
    human_source: str


@cache
def published_results(model: str, data: str) -> tuple[PublishedResult, ...]:
    """What papers state of a network of the zoo on a data set: "imagenet", "cifar10", "mnist"."""
    return tuple(
        PublishedResult(
            data=held["data"],
            model=held["model"],
            error=_share(held.get("error")),
            top5_error=_share(held.get("top5_error")),
            crops=held.get("crops", ""),
            scales=tuple(held.get("scales", ())),
            networks=held.get("networks", 1),
            source=held["source"],
        )
        for held in _results()
        if (held["model"], held["data"]) == (model, data)
    )


@cache
def of_recipe(name: str) -> dict[str, PublishedTable]:
    """The figures that a recipe reproduces, by network."""
    found: dict[str, PublishedTable] = {}
    for held in _results():
        if held.get("recipe") == name and "error" in held:
            table = PublishedTable(model=held["model"], error=held["error"], source=held["source"])
            if "top5_error" in held:
                table["top5_error"] = held["top5_error"]
            found[held["model"]] = table
    return found


@cache
def published_counts() -> tuple[PublishedCount, ...]:
    """What papers state of the size of networks of the zoo."""
    held: _Counts = _read("counts.toml", _Counts)
    return tuple(
        PublishedCount(
            model=one["model"],
            quantity=one.get("quantity", "parameters"),
            count=one["count"],
            unit=one["unit"],
            source=one["source"],
            difference=one.get("difference", ""),
        )
        for one in held["count"]
    )


def describe_counts(
    model: str, *, parameters: int, multiply_adds: int, is_as_published: bool
) -> str:
    """What papers state of a network's size, beside ours; "" where nothing is known.

    `is_as_published` is False for other classes or channels than the paper's: then the counts stand
    alone.
    """
    ours = {"parameters": parameters, "multiply_adds": multiply_adds}
    stated = [one for one in published_counts() if one.model == model]
    if is_as_published:
        return " ".join(one.describe(ours[one.quantity]) for one in stated)
    sizes = " and ".join(
        f"{format_rounded(one.count, one.unit)} {one.quantity.replace('_', '-')}" for one in stated
    )
    return sizes and (
        f"The paper's network, which has {sizes} ({stated[0].source}), is for other classes or "
        "images."
    )


@cache
def ilsvrc_history() -> IlsvrcHistory:
    """The winners of ILSVRC's classification task."""
    held: _History = _read("ilsvrc.toml", _History)
    return IlsvrcHistory(
        winners=tuple(
            Winner(
                year=one["year"],
                team=one["team"],
                network=one.get("network", ""),
                layers=one.get("layers"),
                error=one["error"] / 100,
                source=one["source"],
            )
            for one in held["winner"]
        ),
        human_error=held["human"]["error"] / 100,
        human_images=held["human"]["images"],
        human_source=held["human"]["source"],
    )


def format_rounded(count: int, unit: int) -> str:
    """A count as it was stated.

    >>> format_rounded(138_000_000, 10**6), format_rounded(270_000, 10**4)
    ('138 million', '0.27 million')
    >>> format_rounded(3_800_000_000, 10**8), format_rounded(60_000, 1)
    ('3.8 billion', '60,000')
    """
    if unit == 1:
        return f"{count:,}"
    size, word = (10**9, "billion") if count >= 10**9 else (10**6, "million")
    decimals = len(str(size // unit)) - 1
    return f"{count / size:.{decimals}f} {word}"


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


@cache
def _results() -> list[_Result]:
    held: _Results = _read("results.toml", _Results)
    return held["result"]


def _read(name: str, form: Any) -> Any:
    text = files("convscope.published").joinpath(name).read_text("utf-8")
    return checked(parse_toml(text, where=name), form, where=name)

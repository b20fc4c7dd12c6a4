"""Lesson: the ImageNet challenge: top-5 errors, and how they fell as networks grew deeper."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from convscope.lessons.params import integer
from convscope.published import ilsvrc_history, published_results

ANSWERS = 5
"""The answers that a network may give for an image."""

EXAMPLES = (
    ("goldfinch", ("goldfinch", "house finch", "brambling", "canary", "bulbul")),
    ("tabby cat", ("tiger cat", "tabby cat", "Egyptian cat", "lynx", "Persian cat")),
    ("mushroom", ("agaric", "bolete", "earthstar", "mushroom", "coral fungus")),
    ("espresso", ("espresso", "cup", "coffee mug", "eggnog", "soup bowl")),
    ("canoe", ("paddle", "speedboat", "gondola", "dock", "lakeside")),
    ("violin", ("cello", "acoustic guitar", "violin", "banjo", "bow")),
)
"""Six images that were made up: the class of each, and five answers, the most probable first."""

_RUNNER_UP = {"year": 2012, "error": 0.262}
"""Krizhevsky, Sutskever & Hinton, 2012: the second-best entry."""

_SINGLE = (
    ("alexnet_towers", "AlexNet", 8),
    ("vgg16", "VGG-16", 16),
    ("googlenet", "GoogLeNet", 22),
    ("resnet34", "ResNet-34", 34),
    ("resnet50", "ResNet-50", 50),
    ("resnet101", "ResNet-101", 101),
    ("resnet152", "ResNet-152", 152),
)
"""The zoo's name, the paper's, and the layers with weights from the image to the classes."""


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Count which images are right among the first k answers, and list the winners by year.

    `state` has `answers`, the number k of answers that count (1 to 5). The answer has the
    `examples`, each with its class, its five answers, the `place` of the class among them, from 1,
    or None, and whether it is `right`; the number of wrong images and their share (`errors`) for
    k = 1 to 5; the `winners` of those years whose network's depth is published, the `runner_up` of
    2012; and `single`, networks alone, over ten crops of the validation images. Errors are shares.

    Raises RequestError for an invalid state.
    """
    allowed = integer(state, "answers", 1, ANSWERS)
    places = [_place(name, answers) for name, answers in EXAMPLES]
    wrong = [_wrong(places, count + 1) for count in range(ANSWERS)]
    return {
        "examples": [
            {
                "name": name,
                "answers": list(answers),
                "place": place,
                "right": place is not None and place <= allowed,
            }
            for (name, answers), place in zip(EXAMPLES, places, strict=True)
        ],
        "wrong": wrong[allowed - 1],
        "errors": [count / len(EXAMPLES) for count in wrong],
        **describe_winners(),
    }


def _place(name: str, answers: tuple[str, ...]) -> int | None:
    return answers.index(name) + 1 if name in answers else None


def _wrong(places: list[int | None], allowed: int) -> int:
    """Count the images whose class is not among the first answers."""
    return sum([place is None or place > allowed for place in places])


@cache
def describe_winners() -> dict[str, Any]:
    """Return what is published, with its sources: see `convscope.published`."""
    winners = [one for one in ilsvrc_history().winners if one.layers is not None]
    single: list[dict[str, Any]] = []
    for model, name, layers in _SINGLE:
        [result] = [
            one
            for one in published_results(model, "imagenet")
            if one.crops == "ten" and one.networks == 1
        ]
        single.append(
            {
                "name": name,
                "layers": layers,
                "error": result.error,
                "top5_error": result.top5_error,
                "source": result.source,
            }
        )
    return {
        "winners": [
            {
                "year": one.year,
                "team": one.team,
                "network": one.network,
                "layers": one.layers,
                "error": one.error,
                "source": one.source,
            }
            for one in winners
        ],
        "runner_up": _RUNNER_UP,
        "single": single,
    }

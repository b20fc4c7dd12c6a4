"""Why a network answers as it does: a map of the image, how much it explains, and the terms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from convscope.attribution.api import RANDOM_ORDERS, attribute_opened, chosen_methods
from convscope.attribution.cells import Cells, cells_of
from convscope.attribution.methods import METHODS, MethodName, MethodOptions
from convscope.attribution.result import Attribution
from convscope.attribution.subject import Subject
from convscope.attribution.target import Target
from convscope.attribution.watching import Watching
from convscope.errors import RequestError
from convscope.explanation.explanation import Explanation
from convscope.explanation.loading import preprocess
from convscope.models import OpenedModel
from convscope.terms import Sum, json_number
from convscope.webapp.inspect.computations import Computation, File
from convscope.webapp.inspect.store import LoadedModel, RecordedImage
from convscope.webapp.inspect.unit import UnitView

_TERMS = 12

QUESTIONS: Mapping[MethodName, str] = {
    "grad-cam": "where the last maps speak for it",
    "hires-cam": "how much each place of the last maps adds",
    "gradient-x-input": "how much each pixel adds",
    "occlusion": "what falls when a window is covered",
    "integrated-gradients": "what each pixel adds on the way from a gray image",
    "lrp": "the score, handed back layer by layer",
    "layer-cam": "where single units speak for it",
    "grad-cam++": "where, if it is there several times",
    "cam": "the class's own weights on the last maps",
    "saliency": "which pixels the score is sensitive to",
    "guided-backprop": "edges that matter; hardly depends on the class",
    "deconvolution": "patterns that matter; hardly depends on the class",
}
"""What each method answers; in this order on the page."""


@dataclass(frozen=True)
class WhyRequest:
    """What is asked of an image.

    Attributes:
        method: of attribution; None: the first one by default.
        target: the index of a class; None: the top-1 class.
        other: of the class that it is compared with; None: none.
        layer: the operation whose maps are weighed; None: the method's default.
    """

    method: MethodName | None = None
    target: int | None = None
    other: int | None = None
    layer: str | None = None

    @property
    def chosen(self) -> MethodName:
        return self.method or chosen_methods(None, is_contrast=self.other is not None)[0]


def methods_to_dict() -> dict[str, Any]:
    """The methods to choose from, with what each answers."""
    return {
        "methods": [
            {
                "name": name,
                "title": METHODS[name].title,
                "answers": words,
                "takes_layer": METHODS[name].takes_layer,
                "signed": METHODS[name].is_signed,
            }
            for name, words in QUESTIONS.items()
        ],
        "default": chosen_methods(None, is_contrast=False)[0],
        "default_contrast": chosen_methods(None, is_contrast=True)[0],
    }


def explain_answer(
    computation: Computation, model: LoadedModel, image: RecordedImage, asked: WhyRequest
) -> None:
    """Compute a map and test it; the map is published before its tests.

    Raises RequestError for what the method refuses.
    """
    opened, is_one = model.copy_opened(), model.has_one_logit(image)
    if is_one:
        opened, asked = _with_two_logits(opened), _contrast(asked, model.predictions(image))
    method = asked.chosen
    title = METHODS[method].title
    says = [f"{title}: the map"]
    terms: dict[str, Any] = {}

    def on_map(found: Attribution) -> None:
        subject = Subject(opened.net, fed, opened.card, found.target)
        if isinstance(found.target, Target):  # a class, not a number of a box
            terms.update(
                _terms_of_one(image.units, found.target)
                if is_one
                else _terms(image.units, subject, found.target)
            )
        cells = cells_of(subject, found.raw)
        computation.publish(
            {**_result(found), **terms, "cells": _cells(image.units, cells)},
            {"map": _numbers(found.map), **_channels(cells)},
        )
        says[0] = f"{title}: deletion and insertion, random weights"

    fed = preprocess(image.pixels, opened.card)
    computation.report(says[0])
    watching = Watching(
        on_step=lambda done, total: computation.report(says[0], done, total),
        on_map=on_map,
        on_batch=computation.check_wanted,
    )
    found = attribute_opened(
        opened,
        [fed],
        methods=[method],
        target=asked.target,
        instead_of=asked.other,
        options=MethodOptions(layer=asked.layer if METHODS[method].takes_layer else None),
        random_orders=RANDOM_ORDERS,
        watching=watching,
    )
    before = computation.result or {}
    [explained] = found
    computation.publish({**before, **_result(explained[method]), "is_tested": True})


def _with_two_logits(opened: OpenedModel) -> OpenedModel:
    """A network with one logit z, or its sigmoid, for two classes, as one that returns (-z/2, z/2).

    The difference of the two is z, and their softmax the sigmoid of z and the rest.
    """
    is_probability = opened.card.output == "probabilities"

    def two(_net: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        logit = torch.logit(output, eps=1e-7) if is_probability else output
        return torch.cat([logit * -0.5, logit * 0.5], 1)

    opened.net.register_forward_hook(two)
    card = replace(opened.card, task="single-label", output="logits", thresholds=None)
    return replace(opened, card=card)


def _contrast(asked: WhyRequest, predictions: Sequence[Mapping[str, Any]]) -> WhyRequest:
    """Of one number, what speaks for a class speaks against the other: why this and not that."""
    target = predictions[0]["index"] if asked.target is None else asked.target
    return replace(asked, target=target, other=1 - target)


def _result(found: Attribution) -> dict[str, Any]:
    """A map as the page shows it; each sentence as `convscope attribute` prints it."""
    target = found.target
    fraction = None if found.shares is None else found.shares.fraction
    return {
        **found.to_dict(),
        "target": target.index,
        "instead_of": target.other,
        "score_name": str(target),
        "probability_name": target.probability_name,
        "maximum": found.maximum,
        "fraction": fraction,
        "facts": found.facts,
        "is_tested": False,
    }


def _cells(units: UnitView, cells: Cells | None) -> dict[str, Any] | None:
    """Where the units behind the map lie, and in which row of the page."""
    if cells is None:
        return None
    row = units.row_of(cells.layer)
    if row is None:
        return None
    return {"row": row, "rows": list(cells.rows), "columns": list(cells.columns)}


def _channels(cells: Cells | None) -> dict[str, File]:
    return {} if cells is None else {"channels": _numbers(cells.channels)}


def _numbers(values: "np.ndarray[Any, Any]") -> File:
    shape = ",".join(map(str, values.shape))
    return File(np.ascontiguousarray(values, "<f4").tobytes(), headers={"X-Shape": shape})


def _terms(units: UnitView, subject: Subject, target: Target) -> dict[str, Any]:
    """The score as the sum of the terms of the last layer; none where it is no such sum."""
    name, recording = subject.tape.logits(), units.recording
    if name not in recording:
        return {"terms": None}
    axes = (0,) * (len(recording[name].shape) - 1)
    try:
        explanation = (
            recording.explain(name, (target.index, *axes))
            if target.other is None
            else recording.difference(name, (target.index, *axes), (target.other, *axes))
        )
    except RequestError:
        return {"terms": None}
    if not isinstance(explanation.decomposition, Sum):
        return {"terms": None}
    return {"terms": {"operation": name, **_sum(units, explanation)}}


def _terms_of_one(units: UnitView, target: Target) -> dict[str, Any]:
    """The one number that a network returns as a sum; for the first class with the signs turned."""
    name = units.recording.output
    explanation = units.recording.explain(name, (0,))
    if not isinstance(explanation.decomposition, Sum):
        return {"terms": None}
    told = _sum(units, explanation)
    return {"terms": {"operation": name, **(told if target.index else _turned(told))}}


_SIGNED = ("bias", "exact_value", "model_value", "difference", "weight", "product", "sum")


def _turned(told: Any, name: str = "") -> Any:
    """A sum with other signs."""
    if isinstance(told, dict):
        items = cast("dict[str, Any]", told)
        return {key: _turned(value, key) for key, value in items.items()}
    if isinstance(told, list):
        return [_turned(each) for each in cast("list[Any]", told)]
    return -told if name in _SIGNED and isinstance(told, float) else told


def _sum(units: UnitView, explanation: Explanation) -> dict[str, Any]:
    decomposition = explanation.decomposition
    bias = decomposition.bias if isinstance(decomposition, Sum) else 0.0
    return {
        "bias": json_number(bias),
        "exact_value": json_number(explanation.exact_value),
        "model_value": json_number(explanation.model_value),
        "difference": json_number(explanation.difference),
        **units.terms(explanation, _TERMS),
    }


def check_request(asked: WhyRequest, classes: Sequence[str]) -> None:
    """Raise RequestError for a class that does not exist, or twice the same one."""
    for index in (asked.target, asked.other):
        if index is not None and not 0 <= index < len(classes):
            raise RequestError(f"The network has {len(classes)} classes, 0 to {len(classes) - 1}.")
    if asked.other is not None and asked.target == asked.other:
        raise RequestError("Choose two different classes.")

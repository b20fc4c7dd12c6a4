"""The patches that excite the filters of a network most, and its levels, for the page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.errors import ConvscopeError, RequestError
from convscope.features.image_set import ImageSet
from convscope.features.layer_pass import LayerPass
from convscope.features.patches.api import find_patches
from convscope.features.patches.found import PatchesResult
from convscope.features.patches.result import FilterPatches, Patch
from convscope.features.unit_layers import UnitLayer, find_layers, record_blank
from convscope.levels.choice import choose_levels
from convscope.levels.result import SHOWN_PARTS, Level, LevelFilter, Parts
from convscope.levels.selection import CLASSES
from convscope.levels.study import Study
from convscope.recording import ForwardPass
from convscope.webapp.learned.subject import Report, Subject

TOP = 9
"""Patches of a filter."""

SHOWN = 8
"""Filters of a level."""

_MANY = 100
"""Classes from which on those are shown that most images have, and not the first ones."""

_MOST = 16_384  # filters of a pass: their patches take 2 KiB of memory each and color channel
_CLASSES = 5  # of a filter, those with the largest mean activation
_DRAWN = frozenset(
    {"conv", "dense", "maxpool", "avgpool", "minpool", "mean", "add", "concat", "mul"}
)


def study_filters(subject: Subject, report: Report) -> None:
    """Find the patches of a network's rows and its levels; save a file for each row, and one more.

    Rows beyond 16,384 filters in all are left out; `study_row` takes one of them.
    """
    opened = subject.model.copy_opened()
    recorded = record_blank(opened.net, opened.card)
    levels, note = _levels(recorded)
    names = _names(subject, recorded, levels)
    layer_pass = LayerPass(opened.net, opened.card, names, before_activation=True)
    images = subject.images.load(lambda done, total: report("Reading images", done, total))
    path = subject.cache.path("levels")
    result, checkpoint = find_patches(opened, layer_pass, images, TOP, path, report)
    _save(subject, result, layer_pass.layers, report)
    content: dict[str, Any] = {**_about(result), "levels": [], "note": note}
    if levels:
        by_source = {layer.source: layer for layer in result.layers}
        found = [replace(by_source[level.source], name=level.name) for level in levels]
        study = Study(opened, layer_pass, images, levels)
        try:
            made = study.levels(found, frequent_classes(images), SHOWN, report)
            content["levels"] = [
                _level(subject, own, layer) for own, layer in zip(made, levels, strict=True)
            ]
        except ConvscopeError as error:
            content["note"] = str(error)
    subject.cache.write(path, content)
    checkpoint.remove()


def frequent_classes(images: ImageSet) -> list[int]:
    """Of very many classes those that most images have; none where they are few."""
    labels, count = images.loaded.dataset.labels, len(images.loaded.dataset.classes)
    if count <= _MANY or np.ndim(labels) != 1:
        return []
    images_of = np.bincount(labels[images.indices], minlength=count)
    order = np.argsort(-images_of, kind="stable")[:CLASSES]
    return sorted(int(k) for k in order if images_of[k])


def study_row(subject: Subject, name: str, report: Report) -> None:
    """Find the patches of one row, and save them."""
    opened = subject.model.copy_opened()
    out = subject.model.row(name).out
    layer_pass = LayerPass(opened.net, opened.card, [out], before_activation=True)
    images = subject.images.load(lambda done, total: report("Reading images", done, total))
    path = subject.cache.path("patches", out)
    result, checkpoint = find_patches(opened, layer_pass, images, TOP, path, report)
    _save(subject, result, layer_pass.layers, report)
    checkpoint.remove()


def patches_of(subject: Subject, name: str) -> dict[str, Any] | None:
    """What is saved of a row. Raises RequestError for an unknown row."""
    return subject.cache.read(subject.cache.path("patches", subject.model.row(name).out))


def _levels(recorded: ForwardPass) -> tuple[list[UnitLayer], str]:
    """The layers that are levels; none, with the reason, where the network has no such layers."""
    try:
        return choose_levels(recorded), ""
    except ConvscopeError as error:
        return [], str(error)


def _names(subject: Subject, recorded: ForwardPass, levels: Sequence[UnitLayer]) -> list[str]:
    """The operations whose units are looked at: levels, layers with weights, then the others."""
    rows = [row for row in subject.model.rows if row.op in _DRAWN]
    weighted = [row.out for row in rows if row.op in ("conv", "dense")]
    wanted = [*(level.source for level in levels), *weighted, *(row.out for row in rows)]
    chosen: list[str] = []
    total = 0
    for name in dict.fromkeys(wanted):
        try:
            [layer] = find_layers(recorded.operations, [name], before_activation=True)
        except RequestError:  # more than maps and vectors, as volumes of video
            continue
        if total + layer.shape[0] <= _MOST or not chosen:
            chosen.append(name)
            total += layer.shape[0]
    if not chosen:
        raise RequestError(f"{subject.model.title} has no layer with maps or vectors.")
    return chosen


def _about(result: PatchesResult) -> dict[str, Any]:
    return {
        "images": result.num_images,
        "data": result.images.description,
        "notes": list(result.notes),
    }


def _save(
    subject: Subject, result: PatchesResult, layers: Sequence[UnitLayer], report: Report
) -> None:
    about = _about(result)
    for number, (found, layer) in enumerate(zip(result.layers, layers, strict=True)):
        report("Summing up layers", number, len(layers))
        content = {
            **about,
            "field": list(found.field),
            "is_exact": found.is_exact,
            "is_column": layer.is_tokens,
            "dead": found.with_state("dead"),
            "always_on": found.with_state("always on"),
            "filters": [_filter(one, layer, result.card.classes) for one in found.filters],
        }
        subject.cache.write(subject.cache.path("patches", layer.source), content)


def _filter(one: FilterPatches, layer: UnitLayer, classes: Sequence[str]) -> dict[str, Any]:
    summary = one.summary
    means = np.array(summary.class_means)
    order = [int(k) for k in np.argsort(-np.nan_to_num(means, nan=-np.inf))[:_CLASSES]]
    return {
        "filter": one.filter,
        "state": summary.state,
        "largest": summary.largest,
        "smallest": summary.smallest,
        "mean": summary.mean,
        "active_units": summary.active_units,
        "active_images": summary.active_images,
        "preferred": summary.preferred,
        "selectivity": summary.selectivity,
        "class_means": [[classes[k], float(means[k])] for k in order if np.isfinite(means[k])],
        "top_classes": [list(pair) for pair in summary.top_classes[:_CLASSES]],
        "num_top": sum(count for _, count in summary.top_classes),
        "num_top_classes": len(summary.top_classes),
        "patches": [_patch(patch, one.filter, layer) for patch in one.patches],
    }


def _patch(patch: Patch, filter_: int, layer: UnitLayer) -> dict[str, Any]:
    width = layer.shape[2] if len(layer.shape) == 3 else 1
    index = layer.index(filter_, patch.row * width + patch.column)
    return {
        "image": patch.image,
        "label": patch.label,
        "value": patch.value,
        "unit": _as_unit(index),
        "box": [list(span) for span in patch.box],
        "alike": patch.alike,
    }


def _as_unit(index: Sequence[int]) -> list[int]:
    """Where the page has a unit: map, row, column."""
    if len(index) == 2:  # a token and a feature, which the page draws as a map of one row
        return [index[0], 0, index[1]]
    return [*index, 0, 0][:3]


def _level(subject: Subject, level: Level, layer: UnitLayer) -> dict[str, Any]:
    row = subject.row_of(layer.source)
    return {
        "layer": level.name,
        "row": row.name if row else "",
        "shape": list(layer.shape),
        "field": list(level.layer.field),
        "is_exact": level.layer.is_exact,
        "is_classes": level.is_classes,
        "dead": level.layer.with_state("dead"),
        "filters": [_level_filter(level, one, layer, subject) for one in level.filters],
    }


def _level_filter(
    level: Level, one: LevelFilter, layer: UnitLayer, subject: Subject
) -> dict[str, Any]:
    classes = subject.model.card.classes
    return {
        **_filter(one.found, layer, classes),
        "name": one.name if level.is_classes else str(one.number),
        "weights": None if one.weights is None else _picture(one.weights),
        "parts": None if one.parts is None else _parts(one.parts, one.kernels),
    }


def _picture(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    height, width = pixels.shape[:2]
    return {"height": height, "width": width, "rgb": pixels.reshape(-1).tolist()}


def _parts(parts: Parts, kernels: Mapping[int, NDArray[np.uint8]]) -> dict[str, Any]:
    strongest = parts.strongest(SHOWN_PARTS)
    others = sum(parts.added) - sum(parts.added[k] for k in strongest)
    return {
        "value": parts.value,
        "num_patches": parts.num_patches,
        "strongest": [
            {
                **dict(_amount(parts, parts.added[k], filter=k)),
                "kernel": _picture(kernels[k]) if k in kernels else None,
            }
            for k in strongest
        ],
        "others": dict(_amount(parts, others, count=len(parts.added) - len(strongest))),
        "bias": dict(_amount(parts, parts.bias)),
        "rest": dict(_amount(parts, parts.rest)),
    }


def _amount(parts: Parts, amount: float, **more: int) -> Iterator[tuple[str, Any]]:
    yield from more.items()
    yield "added", amount
    yield "share", parts.share(amount)

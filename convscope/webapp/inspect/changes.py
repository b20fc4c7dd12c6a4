"""Change a unit, a map or a filter, and see the answers change: to an image, or to a data set."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from convscope.errors import RequestError
from convscope.explanation.bounded import record_within
from convscope.explanation.loading import preprocess
from convscope.explanation.recording import Recording
from convscope.inference import inference_mode
from convscope.interventions.api import ImageIntervention, intervene_on_opened
from convscope.interventions.changed_pass import ChangedPass
from convscope.interventions.edits import Action, Edit
from convscope.recording import ForwardPass, Source
from convscope.recording.recorder import OnResult, ShouldRetain
from convscope.recording.retention import RandomState
from convscope.runs.data import is_data_here
from convscope.terms import json_number
from convscope.webapp.inspect.computations import Computation
from convscope.webapp.inspect.graph import GraphRow
from convscope.webapp.inspect.probabilities import class_probabilities, with_probabilities
from convscope.webapp.inspect.store import LoadedModel, RecordedImage
from convscope.webapp.inspect.unit import UnitView

MAX_CHANGES = 16

_TERMS = 8
_SHOWN = 12  # operations whose results changed most
_ONE_AT_A_TIME = threading.Lock()  # a pass keeps many results of the network


@dataclass(frozen=True)
class Change:
    """A change that the page asks for.

    Attributes:
        row: of the page.
        map: the map, or the unit of a vector.
        at: the row and column of a unit; None for the whole map.
        part: "activation", the row's volume, or "filter", the weights that compute the map.
        action: see `Edit`; "patch" puts in place what the same units are for `image`.
        value: to set, scale by or add.
        image: the id of another image of the page.
    """

    row: str
    map: int
    at: tuple[int, int] | None = None
    part: Literal["activation", "filter"] = "activation"
    action: Action = "set"
    value: float = 0.0
    image: str = ""


def edit_of(change: Change, units: UnitView) -> Edit:
    """What a change does to the network. Raises RequestError for a unit that does not exist."""
    row = units.rows[change.row]
    order = {name: place for place, name in enumerate(units.recording.names)}
    if order.get(row.out, 0) > order.get(units.recording.output, len(order)):
        raise RequestError(
            f"{row.name} follows from what the network returns. Change {units.recording.output}."
        )
    spot = (change.map, *(change.at or (0, 0)))
    if not all(0 <= index < side for index, side in zip(spot, row.shape, strict=True)):
        shape = "x".join(map(str, row.shape))
        raise RequestError(f"{row.name} is {shape} and has no unit {list(spot)}.")
    if change.part == "filter":
        name = filter_name(units.recording, row)
        if not name:
            raise RequestError(f"{row.name} has no filters of its own that could be changed.")
        return Edit(name, (change.map,), change.action, change.value, change.image)
    index = units.index(row.out, spot)
    if change.at is None:
        index = index[:1]
    return Edit(row.out, index, change.action, change.value, change.image)


def filter_name(recording: Recording, row: GraphRow) -> str:
    """The parameter whose first axis is that of a row's maps; "" if there is none."""
    first = next((op for op in recording.operations if op.name == row.operations[0]), None)
    weight = None if first is None else first.arguments.get("weight")
    if not isinstance(weight, Source) or weight.role != "state":
        return ""
    return weight.name if recording.tensor(weight).shape[0] == row.shape[0] else ""


def change_image(
    model: LoadedModel, image: RecordedImage, changes: Sequence[Change], about: int | None
) -> dict[str, Any]:
    """The answers before and after changes, and why the score of the class `about` changed.

    By default that is the class whose probability changed most. Raises RequestError for what
    cannot be changed.
    """
    units, before = image.units, image.recording
    edits = [edit_of(change, units) for change in changes]
    values = patches_of(model, image, edits)
    with _ONE_AT_A_TIME:
        opened = model.copy_opened()
        changed = ChangedPass(opened.net, before.operations, edits)
        fed, random = preprocess(image.pixels, opened.card), RandomState()

        def run(should_retain: ShouldRetain, on_result: OnResult) -> ForwardPass:
            with inference_mode(opened.net), torch.inference_mode(mode=False), random.restored():
                return changed.run(
                    fed.clone(),
                    values,
                    should_keep=lambda module, kind: True,
                    should_retain=should_retain,
                    on_result=on_result,
                    num_classes=len(opened.card.classes),
                )[0]

        limit = image.recordings.limit
        recording, _ = record_within(run, limit, always=changed.results, note=before.note)
        after = with_probabilities(recording, opened.card)
        found = ImageIntervention(tuple(edits), before, after, opened.card)
        return {"edits": list(map(str, edits)), **_effects(found, units, about)}


def patches_of(
    model: LoadedModel, image: RecordedImage, edits: Sequence[Edit]
) -> dict[Edit, Tensor]:
    """What the units of edits that patch are for other images of the page."""
    return {edit: _other(model, image, edit) for edit in edits if edit.action == "patch"}


def _other(model: LoadedModel, image: RecordedImage, edit: Edit) -> Tensor:
    """What the units of an edit are for another image."""
    other = model.image(edit.image)
    if other is image:
        raise RequestError("Choose another image than the open one.")
    recording = other.recording
    if edit.name not in recording or recording[edit.name].shape != image.recording[edit.name].shape:
        raise RequestError(f"{edit.name} has another shape for {other.title}.")
    return recording[edit.name].tensor[(slice(None), *edit.index)]


def _effects(found: ImageIntervention, units: UnitView, about: int | None) -> dict[str, Any]:
    operations = found.operations()
    outputs = found.before[found.before.output], found.after[found.after.output]
    probabilities = [class_probabilities(output.value, found.card) for output in outputs]
    before, after = (None if one is None else one.numpy() for one in probabilities)
    changed: dict[str, Any] = {}
    for change in operations:  # the last operation of a row is the row's volume
        row = units.row_of(change.name)
        if row is not None and units.rows[row].out == change.name:
            changed[row] = {
                "row": row,
                "changed": change.changed,
                "units": change.units,
                "largest": json_number(change.largest),
                "rms": json_number(change.rms),
            }
    result: dict[str, Any] = {
        "is_changed": bool(operations),
        "rows": [*changed.values()][:_SHOWN],
        "num_rows": len(changed),
        "classes": None,
        "about": None,
        "terms": None,
    }
    if before is None or after is None:
        return result
    result["classes"] = [
        {"index": k, "before": json_number(before[k]), "after": json_number(after[k])}
        for k in range(len(before))
    ]
    about = int(abs(after - before).argmax()) if about is None else about
    return {**result, "about": about, "terms": _arithmetic(found, units, about)}


def _arithmetic(found: ImageIntervention, units: UnitView, about: int) -> dict[str, Any] | None:
    """The change of a class's score as a sum over the terms of the last layer with weights."""
    last = [row for row in units.rows.values() if row.shape == (len(found.card.classes), 1, 1)]
    for row in reversed(last):
        for name in reversed(row.operations):
            try:
                change = found.unit(name, units.index(name, (about, 0, 0)))
            except RequestError:
                continue
            return {
                "operation": name,
                "before": json_number(change.before),
                "after": json_number(change.after),
                "sum_of_changes": json_number(change.sum_of_changes),
                "count": len(change.terms),
                "rest": json_number(sum(term.change for term in change.terms[_TERMS:])),
                "terms": [
                    {
                        "location": units.locate(term.location),
                        "source": str(term.location),
                        "weight": json_number(term.weight),
                        "before": json_number(term.before),
                        "after": json_number(term.after),
                        "change": json_number(term.change),
                    }
                    for term in change.terms[:_TERMS]
                ],
            }
    return None


def reason_without_data(model: LoadedModel) -> str:
    """Why changes cannot be tried over a data set; "" where they can."""
    run = model.opened.run
    if run is None:
        return (
            f"{model.title} is not a run, so that the lab knows no images of it with their classes."
        )
    if not is_data_here(run.read_config()):
        return f"The images that {model.title} was trained on are not on this machine any more."
    return ""


def change_data(
    computation: Computation,
    model: LoadedModel,
    edits: Sequence[Edit],
    patches: Mapping[Edit, Tensor],
) -> None:
    """The answers to all test images of the run, before and after changes."""
    computation.report("Reading the images")
    found = intervene_on_opened(
        model.copy_opened(),
        edits,
        patches=patches,
        on_progress=lambda done, total: computation.report("Images", done, total),
    )
    computation.publish(found.to_dict())

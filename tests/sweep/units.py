"""Units of every operation: explained within their bound, printed, and traced back to an end."""

import json
import math
from collections import Counter

import numpy as np

from convscope.errors import RequestError
from convscope.explanation.explanation import Explanation
from convscope.explanation.recording import Recording
from convscope.explanation.trace import Trace
from convscope.recording import IMAGE
from convscope.terms import Location
from tests.sweep.faults import Findings

SMALLEST_NORMAL = 2.0**-126  # below it float32 loses digits
MOST_OF_A_KIND = 40  # operations of one kind that are looked at in a network
RARE = 5  # operations of a kind: of fewer, more units each

Units = list[tuple[str, tuple[int, ...]]]


def sampled_units(recording: Recording, random: np.random.Generator, each: int) -> Units:
    """`each` random units of the operations, more of rare kinds; of frequent kinds not all."""
    names: dict[str, list[str]] = {}
    for operation in recording.operations:
        names.setdefault(operation.kind, []).append(operation.name)
    units: Units = []
    for of_kind in names.values():
        count = each if len(of_kind) >= RARE else 2 * each
        for place in sorted(random.permutation(len(of_kind))[:MOST_OF_A_KIND].tolist()):
            name = of_kind[place]
            sides = recording[name].shape
            if 0 not in sides:
                drawn = {tuple(int(random.integers(side)) for side in sides) for _ in range(count)}
                units += [(name, at) for at in sorted(drawn)]
    return units


def check_units(recording: Recording, units: Units, findings: Findings) -> None:
    """Each is explained, and what rounding allows is compared anew with the two values."""
    printed = Counter[str]()
    unknown = set[str]()
    for name, at in units:
        kind = recording[name].kind
        where = {"operation": name, "kind": kind, "unit": at}
        try:
            explanation = recording.explain(name, at)
        except Exception as error:  # noqa: BLE001 -- any is a fault
            findings.add("explain", f"raises {type(error).__name__}: {error}", **where)
            continue
        findings.figures["units"] += 1
        if explanation.decomposition.kind == "unsupported":
            reason = explanation.formula.partition(": ")[2]
            findings.unsupported[f"{kind}: {reason}"] += 1
            if f"{kind}: {reason}" not in unknown:  # once in a network
                unknown.add(f"{kind}: {reason}")
                findings.add("unsupported", reason, **where)
        elif _is_right(explanation):
            findings.figures["units within their bound"] += 1
        else:
            difference, bound = explanation.difference, explanation.rounding_bound
            findings.add(
                "bound",
                f"{explanation.decomposition.kind} {explanation.exact_value!r}, recorded "
                f"{explanation.model_value!r}: {difference:.3g} apart, bound {bound:.3g}",
                **where,
            )
        printed[kind] += 1
        if printed[kind] <= 2:
            _check_printing(explanation, findings, where)


def _is_right(explanation: Explanation) -> bool:
    exact, model = explanation.exact_value, explanation.model_value
    to_the_bit = explanation.decomposition.kind in ("maximum", "minimum", "identity")
    allowed = 0.0 if to_the_bit else explanation.rounding_bound + SMALLEST_NORMAL
    same = exact == model or (math.isnan(exact) and math.isnan(model))
    return explanation.is_within_tolerance and (same or abs(exact - model) <= allowed)


def _check_printing(explanation: Explanation, findings: Findings, where: dict[str, object]) -> None:
    findings.figures["units printed"] += 1
    try:
        text, html = str(explanation), explanation.to_html()
        values = json.loads(json.dumps(explanation.to_dict(max_terms=20), allow_nan=False))
    except Exception as error:  # noqa: BLE001 -- any is a fault
        findings.add("print", f"raises {type(error).__name__}: {error}", **where)
        return
    location = str(explanation.location)
    if not text.startswith(location) or "<" not in html or values["name"] != explanation.name:
        findings.add("print", f"the text does not begin with {location}", **where)


def check_traces(recording: Recording, random: np.random.Generator, findings: Findings) -> None:
    """The largest output and a random unit are traced back to where nothing is left to trace."""
    dependent = [op.name for op in recording.operations if op.operands and 0 not in op.shape]
    middle = dependent[int(random.integers(len(dependent)))]
    output = recording[recording.output].value
    top = np.unravel_index(int(output.flatten().argmax()), tuple(output.shape))
    other = tuple(int(random.integers(side)) for side in recording[middle].shape)
    for name, at in ((recording.output, tuple(map(int, top))), (middle, other)):
        where = {"operation": name, "kind": recording[name].kind, "unit": at}
        findings.figures["traces"] += 1
        try:
            tree = recording.trace_back(name, at)
        except (RequestError, RecursionError, ArithmeticError, LookupError) as error:
            findings.add("trace", f"raises {type(error).__name__}: {error}", **where)
            continue
        end = _end(recording, tree)
        findings.figures[f"traces that end at {end}"] += 1
        if end == "an operation":
            last = list(tree)[-1]
            findings.add("trace", f"ends at {last.location}, a {last.kind}", **where)


def _end(recording: Recording, tree: Trace) -> str:
    """What the largest contribution comes from in the end."""
    last = list(tree)[-1]
    source = last.location.source
    if source == IMAGE:
        return "a pixel"
    known = {operation.name: operation for operation in recording.operations}
    if source not in known:
        return "a parameter or constant"
    explanation = recording.explain(*_unit(last.location))
    if explanation.decomposition.kind == "unsupported":
        return "an unsupported operation"
    has_way = any(term.location is not None for term in explanation.terms)
    return "an operation" if has_way else "a constant"


def _unit(location: Location) -> tuple[str, tuple[int, ...]]:
    return location.source, location.at

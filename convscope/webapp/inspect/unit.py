"""The arithmetic of one unit: what `recording.explain` finds, by the rows of the page."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convscope.explanation.explanation import Explanation
from convscope.explanation.recording import Recording
from convscope.recording import get_kind
from convscope.terms import (
    Decomposition,
    Expression,
    Extremum,
    Floats,
    Identity,
    Location,
    Sum,
    exact_sum,
    json_number,
    number,
)
from convscope.webapp.inspect.graph import GraphRow

_MAX_BARS = 1024  # of a barcode: more would be narrower than a pixel
_MAX_CELLS = 200  # of a patch that is drawn


class UnitView:
    """Explains units of rows; a unit's location on the page is (row, map, y, x)."""

    def __init__(self, recording: Recording, rows: Sequence[GraphRow]) -> None:
        self.recording = recording
        self.rows = {row.name: row for row in rows}
        self._row_of_output = {row.out: row.name for row in rows}
        self._row_of = {name: row.name for row in rows for name in row.operations}

    def unit(
        self, name: str, at: Sequence[int], *, channels: int = 4, skip: int = 0
    ) -> dict[str, Any]:
        """The arithmetic of the unit `at` (map, y, x) of a row's volume, as JSON.

        Of the input channels it holds the `channels` with the largest sums, after the first `skip`.
        Raises RequestError for a unit that does not exist.
        """
        row = self.rows[name]
        index = self.index(row.out, at)
        first, *after = (self.recording.explain(done, index) for done in row.operations)
        patches = _patches(first)
        unit = {
            "row": name,
            "at": list(at),
            "op": row.op,
            "inputs": row.inputs,
            "value": json_number((after or [first])[-1].model_value),
            "steps": [_step(explanation) for explanation in after],
            "receptive_field": _receptive_field(first),
            **self._largest(first),
            **_formula(first),
            **_values(first),
        }
        if patches is None:
            bars = _bars(first.decomposition)
            return {**unit, **_NO_CHANNELS, **self.terms(first, 2 * channels), **bars}
        return {**unit, **_NO_TERMS, **self._channels(first, patches, channels, skip)}

    def index(self, operation: str, at: Sequence[int]) -> tuple[int, ...]:
        """The index in an operation's result of the unit (map, y, x) of its volume."""
        shape = self.recording[operation].shape
        c, y, x = at
        if len(shape) < 3:
            return (c, x)[: len(shape)]
        return (c, *(int(index) for index in np.unravel_index(y, shape[1:-1])), x)

    def row_of(self, operation: str) -> str | None:
        """The row that an operation belongs to."""
        return self._row_of.get(operation)

    def locate(self, location: Location | None) -> dict[str, Any] | None:
        """An operand's unit and row, found through operations that only move values."""
        found = self._origin(location)
        if found is None or found.source not in self._row_of_output:
            return None
        c, y, x = chw_index(found.at, self.recording[found.source].shape)
        return {"row": self._row_of_output[found.source], "map": c, "y": y, "x": x}

    def name_source(self, location: Location | None) -> str | None:
        """What an operand without a row is: `pos[0,1,4,2], a parameter`."""
        found = self._origin(location)
        if found is None or found.source in self._row_of_output:
            return None
        kind = self.recording[found.source].kind
        named = kind.startswith(("parameter", "buffer", "constant"))
        return f"{found}, a {kind if named else 'constant'}"

    def _origin(self, location: Location | None) -> Location | None:
        """Where a value was computed or comes from, before operations that only move it."""
        while location is not None and location.source not in self._row_of_output:
            explanation = self.recording.explain(location.source, location.at)
            if not isinstance(explanation.decomposition, Identity) or not len(explanation.terms):
                return location
            location = explanation.terms[0].location
        return location

    def _largest(self, explanation: Explanation) -> Mapping[str, Any]:
        """The unit that contributes most, or the name of what is no unit of a row."""
        for n in explanation.top_terms[:1]:
            location = explanation.terms[n].location
            return {
                "largest": self.locate(location),
                "largest_share": _share(explanation, n),
                "ends_at": self.name_source(location),
            }
        return {"largest": None, "largest_share": None, "ends_at": None}

    def _channels(
        self, explanation: Explanation, patches: Floats, count: int, skip: int
    ) -> dict[str, Any]:
        """Patch, filter and products of the channels with the largest sums."""
        decomposition = explanation.decomposition
        products = explanation.terms.products.reshape(len(patches), -1)
        group = explanation.terms.groups[0]
        divisor = decomposition.divisor if isinstance(decomposition, Sum) else 1.0
        sums = [exact_sum(row.tolist()) / divisor for row in products]
        winners: list[list[int]] = []
        if isinstance(decomposition, Extremum):
            sums = [decomposition.exact_value]
            columns = patches.shape[2]
            indices = (decomposition.winner, *decomposition.ties)
            winners = [[n // columns, n % columns] for n in indices]
        order = sorted(range(len(sums)), key=lambda c: -abs(sums[c]))
        others = order[skip + count :]
        remaining = exact_sum([p for c in others for p in products[c].tolist()])
        return {
            "size": list(patches.shape[1:]),
            "window": list(group.shape[-group.window :]),
            "sums": [json_number(value) for value in sums],
            "parts": [
                self._channel(explanation, c, patches[c], sums[c])
                for c in order[skip : skip + count]
            ],
            "rest": {
                "count": len(others),
                "sum": json_number(remaining / divisor),
                "largest": json_number(max((abs(sums[c]) for c in others), default=0.0)),
            },
            "winner": winners[0] if winners else None,
            "ties": winners[1:],
            "bars": None,
        }

    def _channel(
        self, explanation: Explanation, channel: int, patch: Floats, total: float
    ) -> dict[str, Any]:
        """Patch, filter and products of one channel, and the units that the patch shows."""
        terms, columns = explanation.terms, patch.shape[1]
        group, here = terms.groups[0], slice(channel * patch.size, (channel + 1) * patch.size)
        cells = [self.locate(group.location(n)) for n in range(here.start, here.stop)]
        known = next((cell for cell in cells if cell), None)
        weights = _grid(terms.weights[here], columns) if group.weight_source else None
        return {
            "channel": channel,
            "row": known and known["row"],
            "map": known and known["map"],
            "cells": _rows(cells, columns),
            "patch": _grid(patch.ravel(), columns),
            "filter": weights,
            "products": _grid(terms.products[here], columns),
            "sum": json_number(total),
        }

    def terms(self, explanation: Explanation, count: int) -> dict[str, Any]:
        """The largest terms with the locations of their operands."""
        terms = explanation.terms
        is_expression = isinstance(explanation.decomposition, Expression)
        chosen = (explanation.top_terms if is_expression else terms.largest(count))[:count]
        products = terms.products.tolist()
        remaining = exact_sum([p for n, p in enumerate(products) if n not in set(chosen)])
        return {
            "terms": [
                {
                    "value": json_number(term.value),
                    "weight": json_number(term.weight),
                    "product": json_number(term.product),
                    "location": self.locate(term.location),
                    "source": self.name_source(term.location),
                    "weight_location": term.weight_location and str(term.weight_location),
                    "weight_spot": self.locate(term.weight_location),
                }
                for term in (terms[n] for n in chosen)
            ],
            "remaining": {"count": len(terms) - len(chosen), "sum": json_number(remaining)},
        }


_NO_CHANNELS: Mapping[str, Any] = {
    "size": None,
    "window": None,
    "sums": None,
    "parts": [],
    "rest": {"count": 0, "sum": 0.0, "largest": 0.0},
    "winner": None,
    "ties": [],
}
_NO_TERMS: Mapping[str, Any] = {"terms": [], "remaining": {"count": 0, "sum": 0.0}}


def _share(explanation: Explanation, term: int) -> float | str | None:
    """How much of the magnitudes of all products one term has; None where no sum is computed."""
    if not isinstance(explanation.decomposition, Sum) or len(explanation.terms) < 2:
        return None
    sizes = np.abs(explanation.terms.products)
    return json_number(float(sizes[term] / sizes.sum())) if sizes.any() else None


def chw_index(at: Sequence[int], shape: Sequence[int]) -> tuple[int, int, int]:
    """An index in a result as (map, y, x) of its volume, see `chw_shape`."""
    if len(at) < 3:
        c, x = (*at, 0, 0)[:2]
        return c, 0, x
    return at[0], int(np.ravel_multi_index(tuple(at[1:-1]), tuple(shape[1:-1]))), at[-1]


def _patches(explanation: Explanation) -> Floats | None:
    """The patch as (channels, height, width), planes below each other; None if it is not drawn."""
    shape = explanation.terms.planes_shape
    if shape is None or not isinstance(explanation.decomposition, Sum | Extremum):
        return None
    channels, planes, rows, columns = shape
    patches = explanation.terms.values.reshape(channels, planes * rows, columns)
    return patches if patches[0].size <= _MAX_CELLS else None


def _grid(values: Floats, columns: int) -> list[list[Any]]:
    return _rows([json_number(value) for value in values.tolist()], columns)


def _rows(cells: Sequence[Any], columns: int) -> list[list[Any]]:
    return [list(cells[start : start + columns]) for start in range(0, len(cells), columns)]


def _formula(explanation: Explanation) -> Mapping[str, Any]:
    """What kind of decomposition it is, and how it is written."""
    decomposition = explanation.decomposition
    is_expression = isinstance(decomposition, Expression)
    return {
        "kind": explanation.kind,
        "decomposition": decomposition.kind,
        "formula": decomposition.formula,
        "substituted": decomposition.substituted if is_expression else "",
        "count": len(decomposition.terms),
        "lines": [
            {**line._asdict(), "value": json_number(line.value)} for line in decomposition.lines
        ],
    }


def _values(explanation: Explanation) -> Mapping[str, Any]:
    """The values of model and explanation; of a sum also its bias, divisor, and sums by sign."""
    decomposition, bias, divisor = explanation.decomposition, None, 1.0
    products: list[float] = []
    if isinstance(decomposition, Sum):
        products, divisor = decomposition.terms.products.tolist(), decomposition.divisor
        if decomposition.bias_location is not None or decomposition.bias != 0:
            bias = json_number(decomposition.bias)
    return {
        "exact_value": json_number(explanation.exact_value),
        "model_value": json_number(explanation.model_value),
        "difference": json_number(explanation.difference),
        "rounding_bound": json_number(explanation.rounding_bound),
        "is_within_tolerance": explanation.is_within_tolerance,
        "bias": bias,
        "divisor": json_number(divisor),
        "positive": json_number(exact_sum([p for p in products if p > 0])),
        "negative": json_number(exact_sum([p for p in products if p < 0])),
    }


def _bars(decomposition: Decomposition) -> Mapping[str, Any]:
    """One bar per term, in order; if there are too many, one per group of neighbors."""
    products = decomposition.terms.products
    if len(products) < 2 or not isinstance(decomposition, Sum):
        return {"bars": None, "bar_terms": 1}
    width = -(-len(products) // _MAX_BARS)
    bars = np.add.reduceat(products, np.arange(0, len(products), width))
    return {"bars": [json_number(bar) for bar in bars.tolist()], "bar_terms": width}


def _step(explanation: Explanation) -> Mapping[str, Any]:
    """One operation that is applied to the value: batch norm, activation."""
    decomposition = explanation.decomposition
    text = decomposition.formula
    if isinstance(decomposition, Expression):
        text = decomposition.substituted
    elif isinstance(decomposition, Sum) and len(decomposition.terms) == 1:
        text = f"{number(decomposition.terms.weights[0])} · {number(decomposition.terms.values[0])}"
        text += f" + {number(decomposition.bias)}" if decomposition.bias else ""
    elif isinstance(decomposition, Identity):
        text = "unchanged"
    return {
        "label": get_kind(explanation.kind).label,
        "text": text.replace("y = ", ""),
        "value": json_number(explanation.model_value),
        "operation": explanation.name,
    }


def _receptive_field(explanation: Explanation) -> Mapping[str, Any] | None:
    field = explanation.receptive_field
    if field is None:
        return None
    return {
        "box": field.box,
        "clipped": field.clipped,
        "fraction": field.fraction,
        "exact": field.exact,
    }

"""The ledger of one unit: what `recording.explain` says, in the rows and places of the page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convscope.explanation.explanation import Explanation
from convscope.explanation.recording import Recording
from convscope.lab.inspect.graph import GraphRow
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

_BARS = 1024  # of a barcode: more are narrower than a pixel
_CELLS = 200  # of a patch that is drawn


class UnitView:
    """Explains units of rows; the places that it names are (row, map, y, x)."""

    def __init__(self, recording: Recording, rows: Sequence[GraphRow]) -> None:
        self.recording = recording
        self.rows = {row.name: row for row in rows}
        self._by_out = {row.out: row.name for row in rows}

    def unit(
        self, name: str, at: Sequence[int], *, channels: int = 4, skip: int = 0
    ) -> dict[str, Any]:
        """What the value of a row's unit is made of; of channels `channels` after the first `skip`.

        Raises RequestError for a place that is not there.
        """
        row = self.rows[name]
        index = self._index(row.out, at)
        first, *after = (self.recording.explain(done, index) for done in row.operations)
        decomposition = first.decomposition
        patches = _patches(first)
        facts: dict[str, Any] = {
            "row": name,
            "at": list(at),
            "op": row.op,
            "kind": first.kind,
            "decomposition": decomposition.kind,
            "formula": decomposition.formula,
            "substituted": decomposition.substituted
            if isinstance(decomposition, Expression)
            else "",
            "count": len(decomposition.terms),
            "from": row.inputs,
            "steps": [_step(one) for one in after],
            "value": json_number((after or [first])[-1].model_value),
            "exact_value": json_number(first.exact_value),
            "model_value": json_number(first.model_value),
            "difference": json_number(first.difference),
            "tolerance": json_number(first.tolerance),
            "is_within_tolerance": first.is_within_tolerance,
            "bias": json_number(decomposition.bias)
            if isinstance(decomposition, Sum) and _has_bias(decomposition)
            else None,
            "divisor": json_number(decomposition.divisor) if isinstance(decomposition, Sum) else 1,
            "lines": [
                {**line._asdict(), "value": json_number(line.value)} for line in decomposition.lines
            ],
            "receptive_field": _field(first),
            "largest": self._largest(first),
            **_signs(decomposition),
        }
        if patches is None:
            return {**facts, **self._listed(first, 2 * channels), **_bars(decomposition)}
        return facts | self._parts(first, patches, channels, skip)

    def _index(self, operation: str, at: Sequence[int]) -> tuple[int, ...]:
        """The index in an operation's result of a place in its cube."""
        shape = self.recording[operation].shape
        c, y, x = at
        if len(shape) < 3:
            return (c, y)[: len(shape)]
        if len(shape) == 3:
            return c, y, x
        return (c, y, *(int(place) for place in np.unravel_index(x, shape[2:])))

    def place(self, place: Location | None) -> dict[str, Any] | None:
        """Where an operand lies, as a unit of a row: through whatever only moved it."""
        while place is not None and place.source not in self._by_out:
            if place.source not in self.recording:
                return None
            one = self.recording.explain(place.source, place.at)
            if not isinstance(one.decomposition, Identity) or not len(one.terms):
                return None
            place = one.terms[0].location
        if place is None:
            return None
        c, y, x = chw_index(place.at, self.recording[place.source].shape)
        return {"row": self._by_out[place.source], "map": c, "y": y, "x": x}

    def _largest(self, one: Explanation) -> dict[str, Any] | None:
        for n in one.top_terms[:1]:
            return self.place(one.terms[n].location)
        return None

    def _parts(self, one: Explanation, patches: Floats, channels: int, skip: int) -> dict[str, Any]:
        """Patch, filter and products of the channels with the largest sums."""
        decomposition, group = one.decomposition, one.terms.groups[0]
        shape = patches.shape[1:]
        products = one.terms.products.reshape(len(patches), -1)
        divisor = decomposition.divisor if isinstance(decomposition, Sum) else 1.0
        sums = [exact_sum(row.tolist()) / divisor for row in products]
        if isinstance(decomposition, Extremum):
            sums = [decomposition.exact_value]
        order = sorted(range(len(sums)), key=lambda c: -abs(sums[c]))
        per = math.prod(shape)
        shown: list[dict[str, Any]] = []
        for c in order[skip : skip + channels]:
            places = [self.place(group.location(c * per + n)) for n in range(per)]
            known = next((p for p in places if p), None)
            weights = one.terms.weights[c * per : (c + 1) * per]
            shown.append(
                {
                    "channel": c,
                    "row": known and known["row"],
                    "map": known and known["map"],
                    "cells": _rows(places, shape[1]),
                    "patch": _rows([json_number(v) for v in patches[c].ravel().tolist()], shape[1]),
                    "filter": _rows([json_number(v) for v in weights.tolist()], shape[1])
                    if group.weight_source
                    else None,
                    "products": _rows([json_number(v) for v in products[c].tolist()], shape[1]),
                    "sum": json_number(sums[c]),
                }
            )
        rest = [sums[c] for c in order[skip + channels :]]
        left = exact_sum([p for c in order[skip + channels :] for p in products[c].tolist()])
        won: list[list[int]] = []
        if isinstance(decomposition, Extremum):
            winners = [decomposition.winner, *decomposition.ties]
            won = [[n // shape[1], n % shape[1]] for n in winners]
        return {
            "size": list(shape),
            "sums": [json_number(value) for value in sums],
            "parts": shown,
            "rest": {
                "count": len(rest),
                "sum": json_number(left / divisor),
                "largest": json_number(max(map(abs, rest), default=0.0)),
            },
            "winner": won[0] if won else None,
            "ties": won[1:],
            "bars": None,
            "listed": [],
            "left": {"count": 0, "sum": 0.0},
        }

    def _listed(self, one: Explanation, most: int) -> dict[str, Any]:
        """The largest terms with their places."""
        terms, decomposition = one.terms, one.decomposition
        chosen = one.top_terms if isinstance(decomposition, Expression) else terms.largest(most)
        chosen = chosen[:most]
        shown = set(chosen)
        products = terms.products.tolist()
        left = exact_sum([p for n, p in enumerate(products) if n not in shown])
        list_runs = [
            {
                "value": json_number(term.value),
                "weight": json_number(term.weight),
                "product": json_number(term.product),
                "place": self.place(term.location),
                "weight_place": None if term.weight_location is None else str(term.weight_location),
            }
            for term in (terms[n] for n in chosen)
        ]
        return {
            "size": None,
            "sums": None,
            "parts": [],
            "rest": {"count": 0, "sum": 0.0, "largest": 0.0},
            "winner": None,
            "ties": [],
            "listed": list_runs,
            "left": {"count": len(terms) - len(chosen), "sum": json_number(left)},
        }


def chw_index(at: Sequence[int], shape: Sequence[int]) -> tuple[int, int, int]:
    """A place in a result as (map, y, x) of its cube."""
    if len(at) <= 3:
        c, y, x = (*at, 0, 0, 0)[:3]
        return c, y, x
    return at[0], at[1], int(np.ravel_multi_index(tuple(at[2:]), tuple(shape[2:])))


def _patches(one: Explanation) -> Floats | None:
    patch = one.patch
    if (
        patch is None
        or patch.ndim not in (2, 3)
        or not isinstance(one.decomposition, Sum | Extremum)
    ):
        return None
    layered = patch if patch.ndim == 3 else patch[None]
    return layered if layered[0].size <= _CELLS else None


def _rows(cells: Sequence[Any], wide: int) -> list[list[Any]]:
    return [list(cells[start : start + wide]) for start in range(0, len(cells), wide)]


def _has_bias(decomposition: Sum) -> bool:
    return decomposition.bias_location is not None or decomposition.bias != 0


def _signs(decomposition: Decomposition) -> Mapping[str, Any]:
    """What the products above zero add up to, and those below."""
    products: list[float] = (
        decomposition.terms.products.tolist() if isinstance(decomposition, Sum) else []
    )
    return {
        "positive": json_number(exact_sum([p for p in products if p > 0])),
        "negative": json_number(exact_sum([p for p in products if p < 0])),
    }


def _bars(decomposition: Decomposition) -> Mapping[str, Any]:
    """One bar for each term, in order; of neighbors together where there are too many."""
    products = decomposition.terms.products
    if len(products) < 2 or not isinstance(decomposition, Sum):
        return {"bars": None, "bar_terms": 1}
    together = -(-len(products) // _BARS)
    bars = np.add.reduceat(products, np.arange(0, len(products), together))
    return {"bars": [json_number(bar) for bar in bars.tolist()], "bar_terms": together}


def _step(one: Explanation) -> Mapping[str, Any]:
    """One thing that happens to the sum: batch norm, activation."""
    decomposition = one.decomposition
    worked = decomposition.formula
    if isinstance(decomposition, Expression):
        worked = decomposition.substituted
    elif isinstance(decomposition, Sum) and len(decomposition.terms) == 1:
        worked = (
            f"{number(decomposition.terms.weights[0])} · {number(decomposition.terms.values[0])}"
        )
        worked += f" + {number(decomposition.bias)}" if decomposition.bias else ""
    elif isinstance(decomposition, Identity):
        worked = "unchanged"
    return {
        "label": get_kind(one.kind).label,
        "text": worked.replace("y = ", ""),
        "value": json_number(one.model_value),
        "operation": one.name,
    }


def _field(one: Explanation) -> Mapping[str, Any] | None:
    field = one.receptive_field
    if field is None:
        return None
    return {
        "box": field.box,
        "clipped": field.clipped,
        "fraction": field.fraction,
        "exact": field.exact,
    }

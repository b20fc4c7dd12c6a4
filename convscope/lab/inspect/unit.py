"""The ledger of one unit: what `recording.explain` says, in the rows and places of the page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convscope.explanation.explanation import Explanation
from convscope.explanation.recording import Recording
from convscope.lab.inspect.graph import Row
from convscope.terms import (
    Copy,
    Extreme,
    Floats,
    Function,
    Made,
    Place,
    Sum,
    exact_sum,
    number,
    told,
)

_BARS = 1024  # of a barcode: more are narrower than a pixel
_CELLS = 200  # of a patch that is drawn


class Ledger:
    """Explains units of rows; the places that it names are (row, map, y, x)."""

    def __init__(self, recording: Recording, rows: Sequence[Row]) -> None:
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
        made = first.made
        patches = _patches(first)
        facts: dict[str, Any] = {
            "row": name,
            "at": list(at),
            "op": row.op,
            "kind": first.kind,
            "made": made.kind,
            "formula": made.formula,
            "worked": made.worked if isinstance(made, Function) else "",
            "count": len(made.terms),
            "from": row.inputs,
            "steps": [_step(one) for one in after],
            "value": told((after or [first])[-1].recorded),
            "exact": told(first.total),
            "recorded": told(first.recorded),
            "difference": told(first.difference),
            "bound": told(first.bound),
            "agrees": first.agrees,
            "bias": told(made.bias) if isinstance(made, Sum) and _has_bias(made) else None,
            "divisor": told(made.divisor) if isinstance(made, Sum) else 1,
            "lines": [{**line._asdict(), "value": told(line.value)} for line in made.lines],
            "field": _field(first),
            "largest": self._largest(first),
            **_signs(made),
        }
        if patches is None:
            return {**facts, **self._listed(first, 2 * channels), **_bars(made)}
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

    def place(self, place: Place | None) -> dict[str, Any] | None:
        """Where an operand lies, as a unit of a row: through whatever only moved it."""
        while place is not None and place.source not in self._by_out:
            if place.source not in self.recording:
                return None
            one = self.recording.explain(place.source, place.at)
            if not isinstance(one.made, Copy) or not len(one.terms):
                return None
            place = one.terms[0].place
        if place is None:
            return None
        c, y, x = cube_index(place.at, self.recording[place.source].shape)
        return {"row": self._by_out[place.source], "map": c, "y": y, "x": x}

    def _largest(self, one: Explanation) -> dict[str, Any] | None:
        for n in one.follow[:1]:
            return self.place(one.terms[n].place)
        return None

    def _parts(self, one: Explanation, patches: Floats, channels: int, skip: int) -> dict[str, Any]:
        """Patch, filter and products of the channels with the largest sums."""
        made, part = one.made, one.terms.parts[0]
        shape = patches.shape[1:]
        products = one.terms.products.reshape(len(patches), -1)
        divisor = made.divisor if isinstance(made, Sum) else 1.0
        sums = [exact_sum(row.tolist()) / divisor for row in products]
        if isinstance(made, Extreme):
            sums = [made.total]
        order = sorted(range(len(sums)), key=lambda c: -abs(sums[c]))
        per = math.prod(shape)
        shown: list[dict[str, Any]] = []
        for c in order[skip : skip + channels]:
            places = [self.place(part.place(c * per + n)) for n in range(per)]
            known = next((p for p in places if p), None)
            weights = one.terms.weights[c * per : (c + 1) * per]
            shown.append(
                {
                    "channel": c,
                    "row": known and known["row"],
                    "map": known and known["map"],
                    "cells": _rows(places, shape[1]),
                    "patch": _rows([told(v) for v in patches[c].ravel().tolist()], shape[1]),
                    "filter": _rows([told(v) for v in weights.tolist()], shape[1])
                    if part.weight_source
                    else None,
                    "products": _rows([told(v) for v in products[c].tolist()], shape[1]),
                    "sum": told(sums[c]),
                }
            )
        rest = [sums[c] for c in order[skip + channels :]]
        left = exact_sum([p for c in order[skip + channels :] for p in products[c].tolist()])
        won: list[list[int]] = []
        if isinstance(made, Extreme):
            winners = [made.winner, *made.ties]
            won = [[n // shape[1], n % shape[1]] for n in winners]
        return {
            "size": list(shape),
            "sums": [told(value) for value in sums],
            "parts": shown,
            "rest": {
                "count": len(rest),
                "sum": told(left / divisor),
                "largest": told(max(map(abs, rest), default=0.0)),
            },
            "winner": won[0] if won else None,
            "ties": won[1:],
            "bars": None,
            "listed": [],
            "left": {"count": 0, "sum": 0.0},
        }

    def _listed(self, one: Explanation, most: int) -> dict[str, Any]:
        """The largest terms with their places."""
        terms, made = one.terms, one.made
        chosen = one.follow if isinstance(made, Function) else terms.largest(most)
        chosen = chosen[:most]
        shown = set(chosen)
        products = terms.products.tolist()
        left = exact_sum([p for n, p in enumerate(products) if n not in shown])
        listed = [
            {
                "value": told(term.value),
                "weight": told(term.weight),
                "product": told(term.product),
                "place": self.place(term.place),
                "weight_place": None if term.weight_place is None else str(term.weight_place),
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
            "listed": listed,
            "left": {"count": len(terms) - len(chosen), "sum": told(left)},
        }


def cube_index(at: Sequence[int], shape: Sequence[int]) -> tuple[int, int, int]:
    """A place in a result as (map, y, x) of its cube."""
    if len(at) <= 3:
        c, y, x = (*at, 0, 0, 0)[:3]
        return c, y, x
    return at[0], at[1], int(np.ravel_multi_index(tuple(at[2:]), tuple(shape[2:])))


def _patches(one: Explanation) -> Floats | None:
    patch = one.patch
    if patch is None or patch.ndim not in (2, 3) or not isinstance(one.made, Sum | Extreme):
        return None
    layered = patch if patch.ndim == 3 else patch[None]
    return layered if layered[0].size <= _CELLS else None


def _rows(cells: Sequence[Any], wide: int) -> list[list[Any]]:
    return [list(cells[start : start + wide]) for start in range(0, len(cells), wide)]


def _has_bias(made: Sum) -> bool:
    return made.bias_place is not None or made.bias != 0


def _signs(made: Made) -> Mapping[str, Any]:
    """What the products above zero add up to, and those below."""
    products: list[float] = made.terms.products.tolist() if isinstance(made, Sum) else []
    return {
        "positive": told(exact_sum([p for p in products if p > 0])),
        "negative": told(exact_sum([p for p in products if p < 0])),
    }


def _bars(made: Made) -> Mapping[str, Any]:
    """One bar for each term, in order; of neighbors together where there are too many."""
    products = made.terms.products
    if len(products) < 2 or not isinstance(made, Sum):
        return {"bars": None, "bar_terms": 1}
    together = -(-len(products) // _BARS)
    bars = np.add.reduceat(products, np.arange(0, len(products), together))
    return {"bars": [told(bar) for bar in bars.tolist()], "bar_terms": together}


def _step(one: Explanation) -> Mapping[str, Any]:
    """One thing that happens to the sum: batch norm, activation."""
    made = one.made
    worked = made.formula
    if isinstance(made, Function):
        worked = made.worked
    elif isinstance(made, Sum) and len(made.terms) == 1:
        worked = f"{number(made.terms.weights[0])} · {number(made.terms.values[0])}"
        worked += f" + {number(made.bias)}" if made.bias else ""
    elif isinstance(made, Copy):
        worked = "unchanged"
    return {
        "label": one.kind.replace("_", " "),
        "text": worked.replace("y = ", ""),
        "value": told(one.recorded),
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

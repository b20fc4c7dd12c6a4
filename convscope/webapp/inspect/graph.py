"""The network's graph as rows of the page: each layer with its batch norm and activation."""

import math
import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from convscope.explanation.recording import Recording
from convscope.lessons.layers import lessons_about
from convscope.recording import IMAGE, Operation, get_kind
from convscope.summaries.rows import Row as SummaryRow
from convscope.summaries.rows import rows_of
from convscope.webapp.inspect.repetition import MANY, repeated_blocks

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class GraphRow:
    """One volume of the drawing: an operation, and those that are applied to its result alone.

    Attributes:
        name: of the first operation.
        op: how it is drawn.
        operations: the first one, then batch norm, activation and the like; the last gives the
            volume.
        inputs: the rows whose volumes it reads.
        shape: of the volume as (channels, height, width); a vector is (k, 1, 1).
        axes: the shape of the result itself.
        block, stage: the module that it belongs to, and the group of blocks, if they hold several.
        columns: type, parameters, kernel and so on, for the table.
    """

    name: str
    op: str
    operations: tuple[str, ...]
    inputs: tuple[str, ...]
    shape: Shape
    axes: tuple[int, ...]
    block: str
    stage: str
    columns: Mapping[str, Any]

    @property
    def out(self) -> str:
        """The operation whose result is the volume."""
        return self.operations[-1]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "op": self.op,
            "inputs": self.inputs,
            "shape": self.shape,
            "axes": self.axes,
            "block": self.block,
            "stage": self.stage,
            "operations": self.operations,
            "lessons": lessons_about(
                self.op,
                stride=self.columns["stride"],
                padding=self.columns["padding"],
                has_activation=bool(self.columns["activation"]),
                reads_image=IMAGE in self.inputs,
            ),
            **self.columns,
        }


def graph_rows(recording: Recording, parameters: Mapping[str, int]) -> list[GraphRow]:
    """The rows of a recorded pass, the image first; `parameters` are numbers of weights by name.

    An operation that only moves values, such as flatten, has no row: rows read through it.
    """
    operations = [operation for operation in recording.operations if operation.operands]
    summary = {
        row.layer: row
        for row in rows_of(recording.operations, recording.fields.by_operation, parameters)
    }
    readers = Counter(name for operation in operations for name in operation.operands)
    chains, owner = _chains(operations, readers, recording.output)
    image = recording[IMAGE].shape
    looks = {
        name: (chain[0].kind, chain[0].shape, len(chain), len(chain[0].operands))
        for name, chain in chains.items()
    }
    blocks = _folded(_blocks(list(chains)), looks)
    rows = [_image_row(image)]
    for name, chain in chains.items():
        first = chain[0]
        taken = {owner[o] for o in first.operands if o in owner}
        inputs = tuple(dict.fromkeys(owner[o] for o in first.operands if owner[o] in taken))
        block, stage = blocks[name]
        rows.append(
            GraphRow(
                name=name,
                op=get_kind(first.kind).drawing,
                operations=tuple(operation.name for operation in chain),
                inputs=inputs,
                shape=chw_shape(recording[chain[-1].name].shape),
                axes=recording[chain[-1].name].shape,
                block=block,
                stage=stage,
                columns=_columns(chain, summary),
            )
        )
    return rows


def chw_shape(shape: Sequence[int]) -> Shape:
    """Any shape as (channels, height, width).

    A signal is a row; the planes of more than three axes stand below each other.
    """
    channels, *heights, width = (*shape, 1, 1)[:2] if len(shape) < 2 else shape
    return channels, math.prod(heights), width


def _chains(
    operations: Sequence[Operation], readers: Mapping[str, int], output: str
) -> tuple[dict[str, list[Operation]], dict[str, str]]:
    """The operations of each row by its name, and the row that each operation belongs to.

    What follows from the network's `output` has rows of its own.
    """
    chains: dict[str, list[Operation]] = {}
    owner = {IMAGE: IMAGE}
    for operation in operations:
        first = operation.operands[0]
        row = owner[first]
        on_page = get_kind(operation.kind).on_page
        has_one_operand = len(set(operation.operands)) == 1
        is_only_reader = has_one_operand and row != IMAGE and readers[first] == 1
        is_next = is_only_reader and chains[row][-1].name == first != output
        if is_next and on_page == "merged":
            chains[row].append(operation)
            owner[operation.name] = row
            continue
        if has_one_operand and on_page == "hidden":
            owner[operation.name] = row
            continue
        chains[operation.name] = [operation]
        owner[operation.name] = operation.name
    return chains, owner


def _image_row(shape: tuple[int, ...]) -> GraphRow:
    columns = {
        "type": "image",
        "parameters": 0,
        "filters": None,
        "kernel": None,
        "stride": None,
        "padding": None,
        "activation": "",
        "receptive_field": [1, 1],
        "exact": True,
    }
    return GraphRow(IMAGE, "image", (IMAGE,), (), chw_shape(shape), tuple(shape), "", "", columns)


def _columns(chain: Sequence[Operation], summary: Mapping[str, SummaryRow]) -> dict[str, Any]:
    rows = [summary[operation.name] for operation in chain if operation.name in summary]
    first = rows[0] if rows else None
    kinds = [get_kind(operation.kind) for operation in chain]
    activations = [kind.label for kind in kinds[1:] if kind.in_summary == "activation"]
    return {
        "type": kinds[0].label,
        "parameters": sum(row.parameters for row in rows),
        "filters": first.filters if first else None,
        "kernel": first.kernel if first else None,
        "stride": first.stride if first else None,
        "padding": first.padding if first else None,
        "activation": activations[-1] if activations else "",
        "receptive_field": list(first.receptive_field) if first else [],
        "exact": first.exact if first else False,
    }


def _blocks(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """For each row its block, the innermost module that holds several rows, and its stage."""
    rows_in = Counter(part for name in names for part in _around(name))
    blocks = {name: next((p for p in _around(name) if rows_in[p] > 1), "") for name in names}
    stages = {block: _stage(block) for block in set(blocks.values()) if block}
    blocks_in = Counter(stages.values())
    return {
        name: (block, stages[block] if block and blocks_in[stages[block]] > 1 else "")
        for name, block in blocks.items()
    }


def _folded(
    blocks: Mapping[str, tuple[str, str]], looks: Mapping[str, Hashable]
) -> dict[str, tuple[str, str]]:
    """The blocks, where a module has very many rows of its own by what repeats itself in it."""
    folded = dict(blocks)
    for _, group in groupby(blocks, key=lambda name: blocks[name][0]):
        names = list(group)
        if len(names) > MANY:
            found = repeated_blocks(names, [looks[name] for name in names])
            folded.update(zip(names, found, strict=True))
    return folded


def _around(name: str) -> list[str]:
    """The modules around an operation, the innermost first."""
    parts = name.split(".")[:-1]
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _stage(block: str) -> str:
    """`layer1` of `layer1.0`, `conv2` of `conv2_1`; a block without a number is its own stage."""
    return re.sub(r"[._]\d+$", "", block)

"""Networks as tables of layers, and questions about their layers."""

from dataclasses import dataclass

from convscope.arithmetic import (
    Cost,
    Volume,
    convolution,
    dense,
    derive_convolution,
    derive_dense,
    derive_pooling,
    pooling,
    sliding,
)
from convscope.arithmetic import Derivation as Solution
from convscope.lessons.exercises.answer import Answer, integer, volume_of
from convscope.lessons.exercises.layer import PARAMETER_HINT, SIZE_HINT
from convscope.lessons.exercises.task import CommonMistake, Table, Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import sides, tidied, volume


@dataclass(frozen=True)
class Row:
    """A row of a table of layers; `size` is 0 for a dense layer."""

    name: str
    filters: int
    size: int
    stride: int = 1
    padding: int = 0
    groups: int = 1


@dataclass(frozen=True)
class Net:
    """A network as a table, on images of one size."""

    title: str
    channels: int
    side: int
    rows: tuple[Row, ...]

    @property
    def table(self) -> Table:
        """The rows as text; the columns padding and groups only if some row has them."""
        head = ["layer", "filters", "size", "stride"]
        padded = any(row.padding for row in self.rows)
        grouped = any(row.groups > 1 for row in self.rows)
        head += ["padding"] * padded + ["groups"] * grouped
        lines: list[tuple[str, ...]] = []
        for row in self.rows:
            line = [row.name, str(row.filters) if row.filters else ""]
            line += [sides(row.size, row.size), str(row.stride)] if row.size else ["", ""]
            line += [str(row.padding or "") if row.size else ""] * padded
            line += [str(row.groups) if row.groups > 1 else ""] * grouped
            lines.append(tuple(line))
        return Table(tuple(head), tuple(lines))

    def before(self, name: str) -> Volume:
        """Return the input volume of a layer."""
        volume = Volume(self.channels, self.side, self.side)
        for row in self.rows:
            if row.name == name:
                return volume
            volume = cost_of(row, volume).output
        raise ValueError(f"{self.title} has no layer {name}")

    def row(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)

    @property
    def seen(self) -> str:
        """A clause that introduces the network and its images."""
        image = volume(self.channels, self.side, self.side)
        return f"{self.title} reads images of {image}"


def cost_of(row: Row, before: Volume) -> Cost:
    """Return the output volume and the cost of a row."""
    if not row.size:
        return dense(before, row.filters)
    if not row.filters:
        return pooling(before, row.size, stride=row.stride)
    return convolution(
        before,
        row.filters,
        row.size,
        stride=row.stride,
        padding=row.padding,
        groups=row.groups,
    )


def ask_parameters(net: Net, name: str) -> Task:
    """Ask for the number of parameters of a layer."""
    row, before = net.row(name), net.before(name)
    cost = cost_of(row, before)
    right = integer(cost.parameters)
    taken = (
        f" Its {before.units:,} inputs are all the units of the layer below."
        if not row.size
        else ""
    )
    dense_hint = "K units on N inputs have K·(N + 1) parameters."
    return Task(
        question=f"{net.seen}. How many parameters does {name} have, biases included?{taken}",
        answer=right,
        hint=PARAMETER_HINT if row.size else dense_hint,
        worked=parameters_worked(row, before),
        mistakes=distinct_mistakes(right, _parameter_mistakes(row, before, cost, net.channels)),
        table=net.table,
    )


def _parameter_mistakes(row: Row, before: Volume, cost: Cost, image: int) -> list[CommonMistake]:
    """Return the numbers that mistakes lead to; `image` is the number of image channels."""
    sees = before.channels // row.groups if row.size else before.units
    area = row.size * row.size or 1
    units = row.filters
    return [
        (integer(cost.weights), "the biases are forgotten"),
        (integer(units * (area + 1)) if row.size else None, "the maps below are forgotten"),
        (integer(cost.weights + 1), "one bias is counted for the whole layer"),
        (
            integer(units * (before.channels + 1)) if not row.size else None,
            "the height and width of the maps below are forgotten",
        ),
        (
            integer(units * (area * before.channels + 1)) if row.size else None,
            "the groups are forgotten: a filter reads only the maps of its group",
        ),
        (
            integer(cost.connections) if row.size else None,
            "the weights are counted once per position, although all positions share them",
        ),
        (
            integer(units * (area * image + 1)) if row.size else None,
            "the image's channels are used instead of the maps below",
        ),
        (integer(area * sees + 1), "only one filter or unit is counted"),
    ]


def worked_of(row: Row, before: Volume) -> Solution:
    """Return the complete solution of a row."""
    cost = cost_of(row, before)
    if not row.size:
        return tidied(derive_dense(before, cost))
    axes = sliding(before, row.size, stride=row.stride, padding=row.padding)
    if not row.filters:
        return tidied(derive_pooling(before, axes, cost))
    return tidied(derive_convolution(before, axes, cost, groups=row.groups))


def parameters_worked(row: Row, before: Volume) -> Solution:
    """Return the row of the solution that counts parameters."""
    return Solution(tuple(line for line in worked_of(row, before).rows if line[0] == "parameters"))


def made(net: Net, name: str) -> Answer:
    """Return the output volume of a layer that is not dense."""
    output = cost_of(net.row(name), net.before(name)).output
    return volume_of(output.channels, output.height, output.width)


def ask_volume(net: Net, name: str) -> Task:
    """Ask for the output volume of a layer of a network."""
    right, before = made(net, name), net.before(name)
    output = cost_of(net.row(name), before).output
    channels, height, width = output.channels, output.height, output.width
    names = [row.name for row in net.rows if row.size]
    steps = names[: names.index(name) + 1]
    rows = [
        (step, made(net, step).text, worked_of(net.row(step), net.before(step)).rows[0][2])
        for step in steps
    ]
    mistakes: list[CommonMistake] = [
        (volume_of(before.channels, before.height, before.width), "the volume below is given"),
        (volume_of(before.channels, height, width), "the number of maps below is used"),
        (volume_of(channels, before.height, before.width), "the size of the maps below is used"),
        (volume_of(channels, height + 1, width + 1), "1 is added twice, or the size is rounded up"),
    ]
    if height > 1:
        mistakes.append((volume_of(channels, height - 1, width - 1), "the + 1 is forgotten"))
    row = net.row(name)
    bare = (before.height - row.size) // row.stride + 1
    if bare > 0:
        mistakes.append((volume_of(channels, bare, bare), "the padding is forgotten"))
    return Task(
        question=f"{net.seen}. What is the output volume of {name}?",
        answer=right,
        hint=f"{SIZE_HINT} Go down the table; pooling keeps the number of maps.",
        worked=solution(*rows),
        mistakes=distinct_mistakes(right, mistakes),
        table=net.table,
    )

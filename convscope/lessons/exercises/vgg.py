"""Exercises on AlexNet and VGG: their tables, receptive fields, and stacks of small filters."""

from convscope.arithmetic import Field
from convscope.lessons.exercises.answer import integer
from convscope.lessons.exercises.network import Net, Row, ask_parameters, ask_volume
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.task import Table, Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import figure, several, sides

# 3×3 convolutions in each of the five stages of a column; C, with its 1×1, is left out.
_COLUMNS = {
    "A": (1, 1, 2, 2, 2),
    "B": (2, 2, 2, 2, 2),
    "D": (2, 2, 3, 3, 3),
    "E": (2, 2, 4, 4, 4),
}
_FILTERS = (64, 128, 256, 512, 512)
_LAYERS = {"A": 11, "B": 13, "D": 16, "E": 19}


def alexnet(*, towers: bool = False, side: int = 227) -> Net:
    """Return AlexNet, with filters over all maps below, or in two towers as in the paper."""
    half = 2 if towers else 1
    rows = (
        Row("conv1", 96, 11, 4),
        Row("pool1", 0, 3, 2),
        Row("conv2", 256, 5, 1, 2, half),
        Row("pool2", 0, 3, 2),
        Row("conv3", 384, 3, 1, 1),
        Row("conv4", 384, 3, 1, 1, half),
        Row("conv5", 256, 3, 1, 1, half),
        Row("pool5", 0, 3, 2),
        Row("fc6", 4096, 0),
        Row("fc7", 4096, 0),
        Row("fc8", 1000, 0),
    )
    return Net("AlexNet in two groups" if towers else "AlexNet", 3, side, rows)


def vgg(column: str, *, side: int = 224) -> Net:
    """Return a column of the paper's table, one row per layer."""
    rows: list[Row] = []
    for stage, (count, filters) in enumerate(zip(_COLUMNS[column], _FILTERS, strict=True), 1):
        rows += [Row(f"conv{stage}_{index}", filters, 3, 1, 1) for index in range(1, count + 1)]
        rows.append(Row(f"pool{stage}", 0, 2, 2))
    rows += [Row("fc1", 4096, 0), Row("fc2", 4096, 0), Row("fc3", 1000, 0)]
    return Net(f"VGG-{_LAYERS[column]}", 3, side, tuple(rows))


def _drawn(rng: SeededRandom, level: int) -> Net:
    if rng.between(0, 1) == 0:
        side = 227 if level < 3 else 67 + 32 * rng.between(0, 8)
        return alexnet(towers=level > 2 and bool(rng.between(0, 1)), side=side)
    side = 224 if level < 2 else 32 * rng.between(2, 4 + 2 * level)
    return vgg(rng.pick(tuple(_COLUMNS)), side=side)


def parameters(rng: SeededRandom, level: int) -> Task:
    net = _drawn(rng, level)
    layers = [row.name for row in net.rows if row.filters and (level > 1 or row.size)]
    return ask_parameters(net, rng.pick(layers))


def output(rng: SeededRandom, level: int) -> Task:
    net = _drawn(rng, level)
    layers = [row.name for row in net.rows if row.size]
    return ask_volume(net, rng.pick(layers if level > 1 else layers[:6]))


def field(rng: SeededRandom, level: int) -> Task:
    """Ask for the receptive field of a unit on top of a stack, along one axis."""
    stack = _stack(rng, level)
    fields = _fields(stack)
    right = integer(fields[-1].size)
    rows = [
        (name, figure(after.size), f"{before.size} + ({size} − 1)·{before.jump}")
        for (size, _, name), before, after in zip(stack, fields, fields[1:], strict=False)
    ]
    plain = 1 + sum(size - 1 for size, _, _ in stack)
    pairs = zip(stack, fields[1:], strict=True)
    late = 1 + sum((size - 1) * after.jump for (size, _, _), after in pairs)
    return Task(
        question=(
            "An image goes through these layers in turn. Far from the border, how many rows of "
            "pixels does a unit of the last one see?"
        ),
        answer=right,
        hint=(
            "The receptive field starts at 1, and each layer adds (F − 1)·j: F is the window's "
            "size, j the product of the strides of the layers before it."
        ),
        worked=solution(*rows),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(plain), "the strides are forgotten"),
                (integer(late), "j includes the layer's own stride"),
                (integer(fields[-1].size - 1), "the first pixel is forgotten"),
                (integer(plain + len(stack) - 1), "the sizes of the windows are added"),
                (integer(fields[-2].size), "the last layer is forgotten"),
            ],
        ),
        table=Table(
            ("layer", "size", "stride"),
            tuple((name, sides(size, size), str(stride)) for size, stride, name in stack),
        ),
    )


def _fields(stack: list[tuple[int, int, str]]) -> list[Field]:
    """Return the receptive field of a pixel, and of a unit of each layer."""
    fields = [Field()]
    for size, stride, _ in stack:
        fields.append(fields[-1].compose(size, stride=stride))
    return fields


def _stack(rng: SeededRandom, level: int) -> list[tuple[int, int, str]]:
    """Draw layers (size, stride, name), with more variation at higher levels."""
    if level < 2:
        return [(3, 1, f"conv{index}") for index in range(1, rng.between(2, 8) + 1)]
    stack: list[tuple[int, int, str]] = []
    for stage in range(1, level + 1):
        first = stage == 1 and level > 3
        for index in range(1, rng.between(1, 3) + 1):
            size = rng.pick((7, 11)) if first and index == 1 else rng.pick((3, 3, 5))
            stride = rng.pick((2, 4)) if first and index == 1 else 1
            stack.append((size, stride, f"conv{stage}_{index}"))
        if stage < level:
            stack.append((2 if level < 4 else rng.pick((2, 3)), 2, f"pool{stage}"))
    return stack


def stacked(rng: SeededRandom, level: int) -> Task:
    """Ask about the weights of a stack of small filters, compared with one large filter."""
    layers = rng.between(2, 2 + level)
    maps = rng.pick((8, 10, 16) if level < 2 else (16, 32, 64, 128, 256))
    large = 2 * layers + 1
    stack, one = layers * 9 * maps * maps, large * large * maps * maps
    saved = level > 2
    right = integer(one - stack if saved else stack)
    asked = (
        f"How many fewer weights does the stack have than one layer of {sides(large, large)}, "
        "which sees as much?"
        if saved
        else f"How many weights does it have? (One layer of {sides(large, large)} sees as much.)"
    )
    rows = [("stack", figure(stack), f"{layers}·3·3·{maps}·{maps}")]
    if saved:
        name = f"one of {sides(large, large)}"
        rows.append((name, figure(one), f"{large}·{large}·{maps}·{maps}"))
        rows.append(("fewer", right.text, f"{figure(one)} − {figure(stack)}"))
    return Task(
        question=(
            f"A stack of {several(layers, 'layer')} of 3×3 filters, each with {maps} input "
            f"and output maps. Leave out the biases. {asked}"
        ),
        answer=right,
        hint="A layer with C input and C output maps has F·F·C·C weights.",
        worked=solution(*rows),
        mistakes=distinct_mistakes(
            right,
            [
                (
                    integer(layers * 9 * maps),
                    "only the input maps are counted, not the output maps",
                ),
                (integer(9 * maps * maps), "only one layer of the stack is counted"),
                (integer(stack), "the weights of the stack are given"),
                (integer(one), "the weights of the large filter are given"),
                (integer(stack + layers * maps), "the biases are counted"),
                (
                    integer((large * large - 9) * maps * maps),
                    "only one layer of the stack is counted",
                ),
            ],
        ),
    )


FIXED = (
    lambda: ask_parameters(alexnet(), "conv1"),
    lambda: ask_volume(alexnet(), "pool1"),
)
GENERATORS = (parameters, field, output, stacked)

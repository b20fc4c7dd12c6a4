"""The layer whose maps an attribution weighs, and where its cells lie in the image."""

from dataclasses import dataclass

from convscope.attribution.interpolation import Floats, bilinear, nearest, positions
from convscope.attribution.steps import Tape
from convscope.errors import RequestError
from convscope.errors import nearest as nearest_name
from convscope.receptive import receptive_fields
from convscope.recording import IMAGE, get_kind

_CONVOLUTIONS = ("convolution", "transposed_convolution", "locally_connected", "connection_table")
_POOLS = ("max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool", "lp_pool", "min_pool")
_IDLE = ("dropout", "drop_path", "cast")
_SHAPES = ("flatten", "view", "reshape", "unflatten", "contiguous", "clone")


def default_layer(tape: Tape) -> str:
    """The last result with maps behind a convolution, after its activation and before any pooling.

    In a residual network it is the last block's output, in a dense one the activation of the last
    concatenation. Maps that are the output itself, as a detector's, do not count. Raises
    RequestError where no layer has maps of more than one position.
    """
    convolved = set[str]()
    found: list[str] = []
    end = tape.logits()
    for name in tape.between(IMAGE, end):
        operation = tape.operations[name]
        rule = get_kind(operation.kind).rule
        if rule in _CONVOLUTIONS or not convolved.isdisjoint(operation.operands):
            convolved.add(name)
        is_map = is_maps(operation.shape) and name in convolved
        if is_map and rule not in (*_POOLS, *_IDLE) and operation.kind not in _SHAPES:
            found.append(name)
    if len(found) > 1 and _is_reshaped(tape, found[-1], end):
        found.pop()
    if not found:
        raise RequestError(
            "No convolution of this network has maps of more than one position, which this method "
            "weighs. Methods that need none: integrated-gradients, gradient-x-input, occlusion."
        )
    return found[-1]


def _is_reshaped(tape: Tape, name: str, end: str) -> bool:
    """Whether a result is another one that was only laid out anew."""
    between = tape.between(name, end)
    return bool(between) and all(tape.operations[each].kind in _SHAPES for each in between)


def find_layer(tape: Tape, layer: str) -> str:
    """The result that a layer's name stands for: an operation, or a module's last one.

    Raises RequestError for an unknown name, and for one without maps.
    """
    name = layer if layer in tape.operations else ""
    for each, operation in tape.operations.items():
        inside = operation.module == layer or operation.module.startswith(f"{layer}.")
        if inside and layer and layer not in tape.operations:
            name = each
    if not name:
        raise RequestError(
            f"There is no layer {layer!r}.{nearest_name(layer, list(tape.operations))} `convscope "
            "explain` with `list_layers` lists them."
        )
    shape = tape.operations[name].shape
    if not is_maps(shape):
        raise RequestError(
            f"{name} has the shape {'x'.join(map(str, shape[1:]))}; this method needs maps: "
            "channels, height and width."
        )
    return name


def is_maps(shape: tuple[int, ...]) -> bool:
    """Whether a shape is that of maps of more than one position, (1, c, h, w)."""
    return len(shape) == 4 and shape[0] == 1 and shape[2] * shape[3] > 1


@dataclass(frozen=True)
class Grid:
    """Where the cells of a layer's maps lie along an axis of the image.

    Attributes:
        count: of cells.
        first: the middle of the first, in pixels from the image's edge.
        step: from one middle to the next.
    """

    count: int
    first: float
    step: float

    def cells(self, pixels: int) -> Floats:
        """The position of each pixel's middle, in cells: 0 is the middle of the first."""
        return positions(pixels, self.first, self.step)


def grids(tape: Tape, name: str) -> tuple[Grid, Grid]:
    """Where the cells of a layer lie: in the middle of their receptive fields, vertical first.

    Where these are unknown, or all the same, the cells divide the image evenly.
    """
    image = tuple(tape.values[IMAGE].shape)
    height, width = tape.operations[name].shape[2:]
    counts = height, width
    ways = [tape.operations[each] for each in tape.between(IMAGE, name)]
    fields = receptive_fields(ways, image, tape.values).get(name)
    found: list[Grid] = []
    for axis, count in enumerate(counts):
        even = Grid(count, image[2 + axis] / count / 2, image[2 + axis] / count)
        first = [0, 0, 0, 0]
        last = [0, 0, 0, 0]
        last[2 + axis] = count - 1
        if fields is None or count < 2 or not fields.exact:
            found.append(even)
            continue
        spans = [fields.box_without_borders(at) for at in (first, last)]
        middles = [sum(box[axis] or ()) / 2 if box and box[axis] else None for box in spans]
        if middles[0] is None or middles[1] is None or middles[1] <= middles[0]:
            found.append(even)
        else:
            found.append(Grid(count, middles[0], (middles[1] - middles[0]) / (count - 1)))
    return found[0], found[1]


def enlarge(values: Floats, where: tuple[Grid, Grid], size: tuple[int, int]) -> Floats:
    """Interpolate the cells of a layer bilinearly to an image of (height, width)."""
    return bilinear(values, where[0].cells(size[0]), where[1].cells(size[1]))


def blocks(values: Floats, where: tuple[Grid, Grid], size: tuple[int, int]) -> Floats:
    """Give each pixel of an image of (height, width) the value of the nearest cell."""
    return nearest(values, where[0].cells(size[0]), where[1].cells(size[1]))

"""From what a detector returns to boxes in pixels of the image, as ONNX.

The same in NumPy is `convscope.boxes.arrays` and `convscope.boxes.suppression`.
"""

from typing import Literal, get_args

from convscope.boxes.coding import BoxCoding
from convscope.boxes.detections import MAX_BOXES, MAX_OVERLAP, MIN_SCORE
from convscope.card import Card
from convscope.errors import RequestError

SuppressionPlace = Literal["inside", "outside"]
"""Where non-maximum suppression happens: `inside` the graph that takes images, or `outside`, by
whoever runs it.
"""

BOXES, SCORES, LABELS, IMAGE_INDEX = "boxes", "scores", "labels", "image_index"

_PARTS = ("box_factor", "offset", "fit_begin", "side")
PLACEMENT = tuple(f"{axis}_{part}" for axis in "xy" for part in _PARTS)
"""By what shares of the network's input become pixels of the image, see `placement`."""


def parse_suppression(place: str | None, card: Card) -> SuppressionPlace:
    """Where suppression happens; by default inside. Raises RequestError for anything else."""
    if place is not None and card.boxes is None:
        raise RequestError(
            "`suppression` is for networks that find objects; this one classifies whole images."
        )
    allowed: tuple[SuppressionPlace, ...] = get_args(SuppressionPlace)
    wanted = place or "inside"
    found: SuppressionPlace | None = next((each for each in allowed if each == wanted), None)
    if found is None:
        raise RequestError(f"`suppression` may be {' or '.join(allowed)}, not {place!r}.")
    return found


def placement() -> str:
    """Lines behind `scaling` that compute what is missing of `PLACEMENT`."""
    return "".join(
        f"{axis}_box_length = Sub ({axis}_fit_end, {axis}_fit_begin)\n"
        f"{axis}_box_factor = Div ({axis}_box_length, {axis}_count)\n"
        for axis in "xy"
    )


def after_boxes(card: Card, coding: BoxCoding, place: SuppressionPlace) -> str:
    """What the network returns, (n, num_outputs), to boxes, as a model in the text form of ONNX.

    Beside `raw` it takes the values of `PLACEMENT`, each with `of_` before its name.
    """
    height, width = card.input_size
    cells = coding.grid[0] * coding.grid[1]
    count = cells * coding.num_boxes
    lines = "cast_raw = Cast <to = 11> (raw)\n" + _numbers(coding, cells)
    lines += _anchors(coding) if coding.name == "anchors" else _of_2016(coding)
    lines += _corners(coding, width, height) + _in_pixels()
    inputs = ", ".join(f"double of_{name}" for name in PLACEMENT)
    if place == "outside":
        results = f"float[n, {count}, 4] {BOXES}, float[n, {count}, {coding.num_classes}] {SCORES}"
        lines += f"{BOXES} = Cast <to = 1> (in_pixels)\n"
        lines += f"{SCORES} = Transpose <perm = [0, 2, 1]> (float_scores)\n"
    else:
        results = (
            f"float[m, 4] {BOXES}, float[m] {SCORES}, int64[m] {LABELS}, int64[m] {IMAGE_INDEX}"
        )
        lines += _suppressed()
    shape = f"float[n, {coding.num_outputs}]"
    return f"after ({shape} raw, {inputs}) => ({results}) {{\n{lines}}}\n"


def _numbers(coding: BoxCoding, cells: int) -> str:
    rows, columns = coding.grid
    column = [float(n % columns) for n in range(cells)]
    row = [float(n // columns) for n in range(cells)]
    return "".join(
        [
            _doubles("column_numbers", column, f"[1, 1, {cells}]"),
            _doubles("row_numbers", row, f"[1, 1, {cells}]"),
            _doubles("column_count", [float(columns)]),
            _doubles("row_count", [float(rows)]),
            _doubles("the_half", [0.5]),
            _doubles("the_zero", [0.0]),
            _doubles("the_one", [1.0]),
        ]
    )


def _anchors(coding: BoxCoding) -> str:
    """x, y, width, height and confidence (n, B, cells), and scores (n, B, K, cells)."""
    cells, boxes = coding.grid[0] * coding.grid[1], coding.num_boxes
    each = 5 + coding.num_classes
    heights = [height for height, _ in coding.anchors]
    widths = [width for _, width in coding.anchors]
    return "".join(
        [
            f"shape = Constant <value = int64[4] {{-1, {boxes}, {each}, {cells}}}> ()\n",
            "of_boxes = Reshape (cast_raw, shape)\n",
            _channels(),
            _slice("class_numbers", 5, each),
            _doubles("anchor_widths", widths, f"[1, {boxes}, 1]"),
            _doubles("anchor_heights", heights, f"[1, {boxes}, 1]"),
            "x_share = Sigmoid (x_number)\n",
            "y_share = Sigmoid (y_number)\n",
            "u_factor = Exp (u_number)\n",
            "v_factor = Exp (v_number)\n",
            "box_width = Mul (u_factor, anchor_widths)\n",
            "box_height = Mul (v_factor, anchor_heights)\n",
            "confidence = Sigmoid (o_number)\n",
            "class_shares = Softmax <axis = 2> (class_numbers)\n",
        ]
    )


def _of_2016(coding: BoxCoding) -> str:
    cells, boxes, classes = coding.grid[0] * coding.grid[1], coding.num_boxes, coding.num_classes
    channels = coding.channels
    return "".join(
        [
            f"shape = Constant <value = int64[3] {{-1, {channels}, {cells}}}> ()\n",
            "maps = Reshape (cast_raw, shape)\n",
            f"parts = Constant <value = int64[2] {{{5 * boxes}, {classes}}}> ()\n",
            "placed, shared = Split <axis = 1> (maps, parts)\n",
            f"box_shape = Constant <value = int64[4] {{-1, {boxes}, 5, {cells}}}> ()\n",
            "of_boxes = Reshape (placed, box_shape)\n",
            _channels(),
            "x_share = Identity (x_number)\n",
            "y_share = Identity (y_number)\n",
            "box_width = Mul (u_number, u_number)\n",
            "box_height = Mul (v_number, v_number)\n",
            "confidence = Identity (o_number)\n",
            "box_axis = Constant <value = int64[1] {1}> ()\n",
            "class_shares = Unsqueeze (shared, box_axis)\n",
        ]
    )


def _channels() -> str:
    """Of `of_boxes` (n, B, 5 or more, cells) the first five, (n, B, cells)."""
    lines = "channel_axis = Constant <value = int64[1] {2}> ()\n"
    for index, name in enumerate("xyuvo"):
        lines += f"{name}_channel = Constant <value = int64 {{{index}}}> ()\n"
        lines += f"{name}_number = Gather <axis = 2> (of_boxes, {name}_channel)\n"
    return lines


def _slice(name: str, start: int, stop: int) -> str:
    return (
        f"{name}_start = Constant <value = int64[1] {{{start}}}> ()\n"
        f"{name}_stop = Constant <value = int64[1] {{{stop}}}> ()\n"
        f"{name} = Slice (of_boxes, {name}_start, {name}_stop, channel_axis)\n"
    )


def _corners(coding: BoxCoding, width: int, height: int) -> str:
    """`shares` (n, N, 4), cut off at the edges, and `float_scores` (n, K, N); box by box, and of
    each the cells row by row."""
    count = coding.grid[0] * coding.grid[1] * coding.num_boxes
    lines = ""
    edges: list[str] = []
    for at, numbers, per, side in (
        ("x", "column_numbers", "column_count", "box_width"),
        ("y", "row_numbers", "row_count", "box_height"),
    ):
        lines += (
            f"{at}_in_cells = Add ({at}_share, {numbers})\n"
            f"{at}_center = Div ({at}_in_cells, {per})\n"
            f"{at}_half = Mul ({side}, the_half)\n"
            f"{at}_low_ = Sub ({at}_center, {at}_half)\n"
            f"{at}_high_ = Add ({at}_center, {at}_half)\n"
            f"{at}_low = Clip ({at}_low_, the_zero, the_one)\n"
            f"{at}_high = Clip ({at}_high_, the_zero, the_one)\n"
        )
        edges.append(at)
    lines += "last_axis = Constant <value = int64[1] {-1}> ()\n"
    names = [f"{at}_{end}" for end in ("low", "high") for at in edges]
    for name in names:
        lines += f"{name}_column = Unsqueeze ({name}, last_axis)\n"
    joined = ", ".join(f"{name}_column" for name in names)
    lines += f"by_cell = Concat <axis = -1> ({joined})\n"
    lines += f"corner_shape = Constant <value = int64[3] {{-1, {count}, 4}}> ()\n"
    lines += "shares = Reshape (by_cell, corner_shape)\n"
    lines += _doubles("input_sides", [float(width), float(height)] * 2, "[1, 1, 4]")
    lines += "confidence_row = Unsqueeze (confidence, channel_axis)\n"  # (n, B, 1, cells)
    lines += "cell_scores = Mul (class_shares, confidence_row)\n"  # (n, B, K, cells)
    lines += "class_first = Transpose <perm = [0, 2, 1, 3]> (cell_scores)\n"
    score_shape = f"-1, {coding.num_classes}, {count}"
    lines += f"score_shape = Constant <value = int64[3] {{{score_shape}}}> ()\n"
    lines += "all_scores = Reshape (class_first, score_shape)\n"
    lines += "float_scores = Cast <to = 1> (all_scores)\n"
    return lines


def _in_pixels() -> str:
    """`in_pixels` (n, N, 4): (share · side - offset) · factor + begin, within the image."""
    lines = "first_axis = Constant <value = int64[1] {0}> ()\n"
    for part in _PARTS:
        for axis in "xy":
            lines += f"{axis}_{part}_row = Unsqueeze (of_{axis}_{part}, first_axis)\n"
        four = ", ".join(f"{axis}_{part}_row" for axis in "xyxy")
        lines += f"all_{part} = Concat <axis = 0> ({four})\n"
    return lines + (
        "in_input = Mul (shares, input_sides)\n"
        "without_bars = Sub (in_input, all_offset)\n"
        "enlarged = Mul (without_bars, all_box_factor)\n"
        "moved_back = Add (enlarged, all_fit_begin)\n"
        "not_below = Max (moved_back, the_zero)\n"
        "in_pixels = Min (not_below, all_side)\n"
    )


def _suppressed() -> str:
    """The boxes that are kept, by falling score over all images."""
    return (
        "float_shares = Cast <to = 1> (shares)\n"
        f"most = Constant <value = int64[1] {{{MAX_BOXES}}}> ()\n"
        f"least_score = Constant <value = float[1] {{{MIN_SCORE}}}> ()\n"
        f"most_overlap = Constant <value = float[1] {{{MAX_OVERLAP}}}> ()\n"
        "kept = NonMaxSuppression (float_shares, float_scores, most, most_overlap, least_score)\n"
        "kept_scores = GatherND (float_scores, kept)\n"  # kept is (m, 3): image, class, box
        "kept_count = Shape (kept_scores)\n"
        f"{SCORES}, rank = TopK <axis = 0> (kept_scores, kept_count)\n"
        "ranked = Gather <axis = 0> (kept, rank)\n"
        "each_one = Constant <value = int64[3] {1, 1, 1}> ()\n"
        "of_image, of_class, of_box = Split <axis = 1> (ranked, each_one)\n"
        "of_boxes_kept = Concat <axis = 1> (of_image, of_box)\n"
        "pixels_kept = GatherND (in_pixels, of_boxes_kept)\n"
        f"{BOXES} = Cast <to = 1> (pixels_kept)\n"
        "second_axis = Constant <value = int64[1] {1}> ()\n"
        f"{LABELS} = Squeeze (of_class, second_axis)\n"
        f"{IMAGE_INDEX} = Squeeze (of_image, second_axis)\n"
    )


def _doubles(name: str, values: list[float], shape: str = "") -> str:
    numbers = ", ".join(repr(value) for value in values)
    return f"{name} = Constant <value = double{shape} {{{numbers}}}> ()\n"

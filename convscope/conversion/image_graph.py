"""What happens to an image before and after the network, as ONNX: any size in, probabilities out.

How it is scaled is in `scaling`.
"""

from typing import TYPE_CHECKING

from convscope.card import Card
from convscope.conversion.box_graph import (
    PLACEMENT,
    SuppressionPlace,
    after_boxes,
    placement,
)
from convscope.conversion.decision_graph import constant, decision
from convscope.conversion.libraries import onnx_library
from convscope.conversion.network_graph import INPUT, LOGITS, OPSET
from convscope.conversion.scaling import NUMBERS, scaling

if TYPE_CHECKING:
    import onnx

IMAGES, FITTED, PROBABILITIES = "images", "fitted", "probabilities"


def image_graph(
    network: "onnx.ModelProto", card: Card, suppression: SuppressionPlace = "inside"
) -> "onnx.ModelProto":
    """The graph of a network with everything around it.

    It takes `images`, uint8 (n, height, width, 3), red, green and blue, n images of one size, and
    returns `probabilities`, float32 (n, classes), and by the task `label`, int64 (n,), the index of
    the predicted class, `labels`, bool (n, classes), of those that reach their thresholds, or of
    grades `expected_grade`, float32 (n,), too; by the rules of the card `is_sure`, bool (n,), and
    `set`, bool (n, classes). The classes are in its metadata.

    Of a network that finds objects it returns `boxes`, float32 (m, 4) left, top, right and bottom
    in pixels of the image, `scores` (m,), `labels`, int64 (m,), and `image_index`, int64 (m,), by
    falling score. With suppression outside, these are `boxes` (n, N, 4) and `scores` (n, N,
    classes) of all N boxes.
    """
    compose = onnx_library().compose
    links = [(LOGITS, "raw")]
    if card.boxes is not None:
        links += [(name, f"of_{name}") for name in PLACEMENT]
    before = _parsed(_before(card), network)
    after = _parsed(_after(card, suppression), network)
    inner = _renamed(network, _values(before) | _values(after))
    model: onnx.ModelProto = compose.merge_models(before, inner, io_map=[(FITTED, INPUT)])
    model = compose.merge_models(model, after, io_map=links)
    onnx_library().checker.check_model(model)
    return model


def _parsed(text: str, like: "onnx.ModelProto") -> "onnx.ModelProto":
    header = f'<ir_version: {like.ir_version}, opset_import: ["" : {OPSET}]>\n'
    return onnx_library().parser.parse_model(header + text)


def _renamed(network: "onnx.ModelProto", taken: set[str]) -> "onnx.ModelProto":
    """A copy that shares no name of a value with what is around it."""
    inner: onnx.ModelProto = onnx_library().ModelProto()
    inner.CopyFrom(network)
    if taken.isdisjoint(_values(network)):
        return inner
    return onnx_library().compose.add_prefix(
        inner, "network/", rename_nodes=False, rename_inputs=False, rename_outputs=False
    )


def _values(model: "onnx.ModelProto") -> set[str]:
    graph = model.graph
    computed = {name for node in graph.node for name in node.output}
    named = {value.name for value in (*graph.input, *graph.initializer)}
    return (computed | named) - {INPUT, LOGITS}


def _before(card: Card) -> str:
    """Bytes (n, h, w, 3) to the network's input, float32 (n, c, height, width)."""
    height, width = card.input_size
    channels = (card.in_channels, 1, 1)
    shifts = [-mean / std for mean, std in zip(card.mean, card.std, strict=True)]
    lines = [
        NUMBERS,
        "planes = Transpose <perm = [0, 3, 1, 2]> (images)\n",
        "float_planes = Cast <to = 1> (planes)\n",
        _LUMA if card.in_channels == 1 else "colors = Identity (float_planes)\n",
        "sides = Shape (images)\n",
        scaling(card),
        "" if card.boxes is None else placement(),  # the boxes need to know how it was scaled
        constant("factors", [1 / (255 * std) for std in card.std], channels),
        constant("shifts", shifts, channels),
        "multiplied = Mul (pixels, factors)\n",
        "fitted = Add (multiplied, shifts)\n",
    ]
    fitted = f"float[n, {card.in_channels}, {height}, {width}] fitted"
    if card.boxes is not None:
        fitted += "".join(f", double {name}" for name in PLACEMENT)
    return f"before (uint8[n, h, w, 3] images) => ({fitted}) {{\n{''.join(lines)}}}\n"


def _after(card: Card, suppression: SuppressionPlace) -> str:
    """What the network returns, (n, classes), to probabilities and what follows from them."""
    if card.boxes is not None:
        return after_boxes(card, card.boxes, suppression)
    count, is_several = len(card.classes), card.task == "multi-label"
    activation = "Sigmoid" if is_several else "Softmax <axis = 1>"
    lines = constant("temperature", [card.temperature], ()) + "cooled = Div (raw, temperature)\n"
    lines += f"probabilities = {activation if card.output == 'logits' else 'Identity'} (cooled)\n"
    results = f"float[n, {count}] probabilities"
    decided, names = decision(card)
    lines, results = lines + decided, results + names
    if card.task == "ordinal":
        lines += constant("grades", [float(grade) for grade in range(count)], (count,))
        lines += "weighted = Mul (probabilities, grades)\n"
        lines += "class_axis = Constant <value = int64[1] {1}> ()\n"
        lines += "expected_grade = ReduceSum <keepdims = 0> (weighted, class_axis)\n"
        results += ", float[n] expected_grade"
    return f"after (float[n, {count}] raw) => ({results}) {{\n{lines}}}\n"


_LUMA = """
luma_weights = Constant <value = float[1, 3, 1, 1] {19595.0, 38470.0, 7471.0}> ()
luma_parts = Mul (float_planes, luma_weights)
luma_sum = ReduceSum (luma_parts, axis_1)
luma_half = Constant <value = float {32768.0}> ()
luma_scale = Constant <value = float {0.0000152587890625}> ()
luma_raised = Add (luma_sum, luma_half)
luma = Mul (luma_raised, luma_scale)
colors = Floor (luma)
"""
"""ITU-R 601 in Pillow's fixed point: integers below 2**24, which float32 holds exactly."""

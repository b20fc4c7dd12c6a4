"""The README of an exported network: how to use it, in a few lines per language."""

from collections.abc import Collection, Sequence

from convscope.boxes.coding import BoxCoding
from convscope.boxes.detections import MAX_BOXES, MAX_OVERLAP, MIN_SCORE
from convscope.card import Card
from convscope.conversion.box_graph import SuppressionPlace
from convscope.conversion.formats import FormatName
from convscope.conversion.openvino_images import IMAGES_IR
from convscope.conversion.readme_code import code_of
from convscope.engines import EngineName, Precision
from convscope.words import visible


def readme(
    name: str,
    card: Card,
    formats: Sequence[FormatName],
    files: Collection[str],
    engines: Sequence[EngineName],
    precision: Precision = "float32",
    suppression: SuppressionPlace = "inside",
) -> str:
    """Markdown: what the files are, and code for each format.

    `engines` are those that agree, the fastest first; of files that only one of them reads, no more
    is said where ONNX is written, too, and their format was not asked for.
    """
    classes = ", ".join(map(visible, card.classes[:20])) + (
        ", ..." if len(card.classes) > 20 else ""
    )
    lines = [line for each in formats for line in _files_of(each, card, files, suppression)]
    fastest = f" Fastest here: {engines[0]}." if engines else ""
    end = "" if engines else " `convscope predict` and `serve` do not run it."
    has_images = IMAGES_IR in files
    blocks = [code_of(each, card, precision, has_images=has_images) for each in formats]
    command = ["Command line:\n\n```sh\nconvscope predict . photo.jpg\n```\n"] if engines else []
    return "\n".join([
        f"# {visible(name)}\n\nClasses, in the order of the outputs: {classes}.\n",
        *lines,
        _REST + fastest + end + "\n",
        *command,
        *blocks,
    ])  # fmt: skip


_REST = (
    "- `card.json`: classes and preprocessing. `parity.json`: how exactly it answers as PyTorch\n"
    "  does, and how fast."
)


def _files_of(
    format: FormatName,  # noqa: A002
    card: Card,
    files: Collection[str],
    suppression: SuppressionPlace,
) -> list[str]:
    height, width = card.input_size
    count = card.num_outputs
    answers = f"`probabilities` (n, {count}){_answers(card)}"
    if card.boxes is not None:
        answers = _boxes(card.boxes, suppression)
    shape = f"float32 (n, {card.in_channels}, {height}, {width})"
    scales = ", ".join(f"{1 / (255 * std):.8g}" for std in card.std)
    shifts = ", ".join(f"{-mean / std:.8g}" for mean, std in zip(card.mean, card.std, strict=True))
    normalized = (
        f"A byte b becomes b · scale + shift, with the scales {scales} and the shifts {shifts}."
    )
    of_images = (
        "takes images of any size, uint8 (n, height, width, 3), red, green and blue, n images\n"
        f"  of one size, and returns {answers}. Scaling and\n"
        "  normalization are inside."
    )
    outputs, meaning = _outputs(card)
    match format:
        case "onnx":
            return [
                f"- `images.onnx` {of_images}",
                f"- `model.onnx` takes the normalized input, {shape}.\n  {normalized}",
            ]
        case "openvino":
            whole = [f"- `{IMAGES_IR}`, with its `.bin`, {of_images}"] * (IMAGES_IR in files)
            model = (
                f"- `model.xml`, with its `.bin`, takes the normalized input, {shape}, and\n"
                f"  returns {outputs} (n, {count}).{meaning} {normalized}"
            )
            return [*whole, model if whole else f"{model} {_fitting(card)}"]
        case "ncnn":
            model = (
                "- `model.ncnn.param`, with its `.bin`, takes one normalized image, `in0`, "
                f"({card.in_channels}, {height}, {width}), and\n  returns {outputs} ({count}), "
                f"`out0`.{meaning} {normalized}\n  {_fitting(card)}"
            )
            return [model]
        case "torch":
            model = (
                f"- `model.pt2` takes the normalized input, {shape}, and returns\n  {outputs} "
                f"(n, {count}).{meaning} {normalized}\n  {_fitting(card)} PyTorch unpickles parts "
                "of such a file: open only those that you trust."
            )
            return [model]
        case "litert":
            one = f"float32 (1, {card.in_channels}, {height}, {width})"
            model = (
                f"- `model.tflite` takes one normalized image, {one}, and returns\n  {outputs} "
                f"(1, {count}).{meaning} {normalized}\n  {_fitting(card)}"
            )
            return [model]


def _boxes(coding: BoxCoding, suppression: SuppressionPlace) -> str:
    """What the graph of images returns of a network that finds objects."""
    edges = "left, top, right and bottom in pixels of the image"
    if suppression == "outside":
        count = coding.grid[0] * coding.grid[1] * coding.num_boxes
        return (
            f"`boxes` (n, {count}, 4), {edges}, and `scores`\n  (n, {count}, "
            f"{coding.num_classes}), the probability of each class times the confidence.\n"
            "  Suppression is outside: of boxes of a class that overlap, keep the best"
        )
    return (
        f"`boxes` (m, 4),\n  {edges}, `scores` (m), by falling score, `labels` (m), the\n"
        "  indices of the classes, and `image_index` (m). Non-maximum suppression is inside: of\n"
        f"  two boxes of a class whose IoU is above {MAX_OVERLAP:g} the better one is kept, of\n"
        f"  those with a score above {MIN_SCORE:g}, {MAX_BOXES} of a class at most"
    )


def _cells(coding: BoxCoding) -> str:
    """What the numbers of a network that finds objects stand for."""
    rows, columns = coding.grid
    return (
        f"They are {coding.channels} maps of {rows} x {columns} cells, one after the other:\n  "
        f"`convscope.boxes.coding` says what `{coding.name}` means, and the code below decodes "
        "them."
    )


def _answers(card: Card) -> str:
    """What the graph of images returns beside probabilities."""
    if card.task == "multi-label":
        return f" and\n  `labels` (n, {len(card.classes)}), whether each is predicted"
    found = ["`label` (n), the index of the predicted class"]
    if card.abstention is not None:
        found.append("`is_sure` (n), whether that is to be taken for an answer")
    if card.prediction_sets is not None:
        found.append(f"`set` (n, {len(card.classes)}), the classes of the prediction set")
    return "".join(f",\n  {each}" for each in found)


def _outputs(card: Card) -> tuple[str, str]:
    """What a network returns, and a sentence on how that becomes probabilities."""
    if card.boxes is not None:
        return "the numbers of all cells", f" {_cells(card.boxes)}"
    if card.output == "probabilities":
        return "probabilities", ""
    activation = "sigmoid" if card.task == "multi-label" else "softmax"
    cooled = "" if card.temperature == 1 else f" / {card.temperature:.9g}"
    return "logits", f" Probabilities are {activation}(logits{cooled})."


def _fitting(card: Card) -> str:
    """How an image becomes one of the input's size, by `convscope.card.ResizeMode`."""
    height, width = card.input_size
    size = f"{height} x {width}"
    rules = {
        "crop": (
            "so that its shorter side is "
            f"{card.resize_size or 'as small as covers the input'}, and its center is cropped"
        ),
        "pad": "down if it is larger than the input, and centered on black",
        "letterbox": "so that its longer side fits, and centered on black",
        "stretch": "without keeping its aspect ratio",
    }
    return f"To {size} an image is scaled ({card.interpolation}) {rules[card.resize_mode]}."

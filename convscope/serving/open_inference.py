"""The Open Inference Protocol (KServe v2), as Triton's clients speak it."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.http_server.access import Refusal
from convscope.predictions.decided import Answers
from convscope.serving.bodies import check_count, decode_base64, parse_object
from convscope.serving.box_tensors import BOX_TENSORS, box_tensor, min_score_of
from convscope.serving.models import ServedModel
from convscope.serving.pipeline import ImageSource, LocatedBoxes
from convscope.words.json_text import to_json

IMAGES, PROBABILITIES, LABEL = "images", "probabilities", "label"
IS_SURE, SET = "is_sure", "set"
LENGTH_HEADER = "inference-header-content-length"
_INPUTS = (
    f"The input is {IMAGES}: UINT8 (n, height, width, 3), red, green and blue, of any size, or "
    "BYTES (n), image files."
)


@dataclass(frozen=True)
class WantedOutput:
    """An output that a client asks for.

    Attributes:
        name: of the tensor.
        is_binary: whether it comes behind the JSON.
        num_classes: as texts "PROBABILITY:INDEX:CLASS" of as many classes; 0 for numbers.
    """

    name: str
    is_binary: bool
    num_classes: int = 0


@dataclass(frozen=True)
class InferRequest:
    """A request in full: its images, the outputs that it wants, and the least score of objects."""

    images: Sequence[ImageSource]
    outputs: Sequence[WantedOutput]
    id: str
    min_score: float


def metadata(model: ServedModel) -> dict[str, Any]:
    """What a client is told about the network."""
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": f"convscope_{model.classifier.engine_name}",
        "inputs": [{"name": IMAGES, "datatype": "UINT8", "shape": [-1, -1, -1, 3]}],
        "outputs": _tensors_of(model.card),
    }


def _tensors_of(card: Card) -> list[dict[str, Any]]:
    if card.boxes is not None:
        return [*BOX_TENSORS]
    tensors = [{"name": PROBABILITIES, "datatype": "FP32", "shape": [-1, len(card.classes)]}]
    if card.task != "multi-label":
        tensors.append({"name": LABEL, "datatype": "BYTES", "shape": [-1]})
    if card.abstention is not None:
        tensors.append({"name": IS_SURE, "datatype": "BOOL", "shape": [-1]})
    if card.prediction_sets is not None:
        tensors.append({"name": SET, "datatype": "BOOL", "shape": [-1, len(card.classes)]})
    return tensors


def parse_infer(body: bytes, length: str, model: ServedModel, *, most: int) -> InferRequest:
    """Read a request. `length` is that of its JSON, behind which are binary tensors; "" for all.

    Raises Refusal for what does not fit the protocol or the network.
    """
    head = _json_length(length, len(body))
    content, binary = parse_object(body[:head]), body[head:]
    inputs = content.get("inputs")
    if not isinstance(inputs, list) or len(cast("list[Any]", inputs)) != 1:
        raise Refusal(400, f"`inputs` must be a list of one tensor. {_INPUTS}")
    tensor = _object(cast("list[Any]", inputs)[0], "inputs[0]")
    if tensor.get("name") != IMAGES:
        raise Refusal(400, f"There is no input {str(tensor.get('name'))[:100]!r}. {_INPUTS}")
    images = _images(tensor, binary, most)
    request_id = content.get("id", "")
    if not isinstance(request_id, str) or len(request_id) > 1000:
        raise Refusal(400, "`id` must be a text of up to 1,000 letters.")
    min_score = min_score_of(_object(content.get("parameters", {}), "parameters"))
    return InferRequest(images, _outputs(content, model), request_id, min_score)


def render(
    request: InferRequest, answers: Answers | Sequence[LocatedBoxes], model: ServedModel
) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of what is answered for the images."""
    described: list[dict[str, Any]] = []
    binary: list[bytes] = []
    for wanted in request.outputs:
        if isinstance(answers, Answers):
            datatype, values, shape = _tensor(wanted, answers, model.card.classes)
        else:
            datatype, values, shape = box_tensor(
                wanted.name, answers, model.card, request.min_score
            )
        tensor: dict[str, Any] = {"name": wanted.name, "datatype": datatype, "shape": shape}
        if wanted.is_binary:
            data = values.tobytes() if isinstance(values, np.ndarray) else _join(values)
            tensor["parameters"] = {"binary_data_size": len(data)}
            binary.append(data)
        else:
            tensor["data"] = values.ravel().tolist() if isinstance(values, np.ndarray) else values
        described.append(tensor)
    answer: dict[str, Any] = {"model_name": model.name, "model_version": model.version}
    if request.id:
        answer["id"] = request.id
    head = to_json({**answer, "outputs": described}).encode()
    if not binary:
        return head, {"Content-Type": "application/json"}
    return b"".join([head, *binary]), {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(head)),
    }


def _json_length(length: str, total: int) -> int:
    if not length:
        return total
    if not (length.isascii() and length.isdecimal() and len(length) < 12 and int(length) <= total):
        raise Refusal(400, "Inference-Header-Content-Length is no length of this body.")
    return int(length)


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refusal(400, f"`{where}` must be an object.")
    return cast("dict[str, Any]", value)


def _images(tensor: dict[str, Any], binary: bytes, most: int) -> Sequence[ImageSource]:
    shape = tensor.get("shape")
    is_shape = isinstance(shape, list) and all(
        isinstance(size, int) and not isinstance(size, bool) and size > 0
        for size in cast("list[Any]", shape)
    )
    if not is_shape:
        raise Refusal(400, f"`shape` must be a list of sizes above 0. {_INPUTS}")
    sizes = cast("list[int]", shape)
    parameters = _object(tensor.get("parameters", {}), "parameters")
    size = parameters.get("binary_data_size")
    if size is not None and size != len(binary):
        raise Refusal(400, f"`binary_data_size` is {size!r:.20}, but {len(binary)} bytes came.")
    data = binary if size is not None else tensor.get("data")
    if data is None:
        raise Refusal(400, f"The tensor {IMAGES} has neither `data` nor `binary_data_size`.")
    match tensor.get("datatype"):
        case "BYTES" if len(sizes) in (1, 2) and sizes[-1] == np.prod(sizes):
            check_count(sizes[-1], most)
            files = [*_split(data)] if isinstance(data, bytes) else _from_texts(data)
            if len(files) != sizes[-1]:
                raise Refusal(400, f"`shape` says {sizes[-1]} images, and {len(files)} came.")
            return files
        case "UINT8" if len(sizes) == 4 and sizes[3] == 3:
            check_count(sizes[0], most)
            return _pixels(data, sizes)
        case _:
            raise Refusal(400, f"Its datatype or shape is not possible. {_INPUTS}")


def _pixels(data: object, sizes: Sequence[int]) -> Sequence[ImageSource]:
    count, height, width, channels = sizes
    if not isinstance(data, bytes):
        try:
            values = np.array(data)
        except (ValueError, OverflowError) as error:
            raise Refusal(400, "`data` is not a list of numbers.") from error
        if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 255:
            raise Refusal(400, "`data` must be integers from 0 to 255.")
        data = values.astype(np.uint8).tobytes()
    if len(data) != count * height * width * channels:
        raise Refusal(400, f"{len(data):,} bytes are no tensor of shape {[*sizes]}.")
    array = np.frombuffer(data, np.uint8).reshape(count, height, width, channels)
    return [*array]


def _split(data: bytes) -> Iterator[bytes]:
    """The texts of a binary BYTES tensor: each has its length, 4 bytes, in front."""
    start = 0
    while start < len(data):
        size = int.from_bytes(data[start : start + 4], "little")
        if start + 4 + size > len(data):
            raise Refusal(400, "A BYTES tensor ends within an element.")
        yield data[start + 4 : start + 4 + size]
        start += 4 + size


def _from_texts(data: object) -> Sequence[bytes]:
    if isinstance(data, list):
        texts = cast("list[Any]", data)
        if texts and all(isinstance(text, list) for text in texts):  # of shape (1, n)
            texts = [text for row in texts for text in row]
        if all(isinstance(text, str) for text in texts):
            return [decode_base64(text) for text in texts]
    raise Refusal(400, "A BYTES tensor in JSON is a list of image files in base64.")


def _outputs(content: Mapping[str, Any], model: ServedModel) -> Sequence[WantedOutput]:
    parameters = _object(content.get("parameters", {}), "parameters")
    known = [tensor["name"] for tensor in _tensors_of(model.card)]
    listed = content.get("outputs")
    is_binary = parameters.get("binary_data_output") is True
    if not listed:
        return [WantedOutput(name, is_binary) for name in known]
    if not isinstance(listed, list):
        raise Refusal(400, "`outputs` must be a list.")
    wanted: list[WantedOutput] = []
    for item in cast("list[Any]", listed):
        output = _object(item, "outputs[...]")
        if output.get("name") not in known:
            name = str(output.get("name"))[:100]
            raise Refusal(400, f"There is no output {name!r}; there are: {', '.join(known)}.")
        options = _object(output.get("parameters", {}), "parameters")
        count = options.get("classification", 0)
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise Refusal(400, "`classification` must be a number of classes.")
        count = min(count, len(model.card.classes)) if output["name"] == PROBABILITIES else 0
        wanted.append(
            WantedOutput(output["name"], options.get("binary_data", is_binary) is True, count)
        )
    return wanted


def _tensor(
    wanted: WantedOutput, answers: Answers, classes: Sequence[str]
) -> tuple[str, NDArray[np.float32] | NDArray[np.bool_] | list[str], list[int]]:
    """Type, values and shape of an output."""
    probabilities, flags = answers.probabilities, {IS_SURE: answers.is_sure, SET: answers.sets}
    if (found := flags.get(wanted.name)) is not None:
        return "BOOL", np.ascontiguousarray(found), [*found.shape]
    order = np.argsort(-probabilities, axis=1, kind="stable")
    if wanted.num_classes:
        texts = [
            f"{row[index]:.6f}:{index}:{classes[index]}"
            for row, ranked in zip(probabilities, order, strict=True)
            for index in ranked[: wanted.num_classes]
        ]
        return "BYTES", texts, [len(probabilities), wanted.num_classes]
    if wanted.name == LABEL:
        labels = [classes[int(index)] for index in answers.predicted]
        return "BYTES", labels, [len(probabilities)]
    values = np.ascontiguousarray(probabilities, np.dtype("<f4"))
    return "FP32", values, [*values.shape]


def _join(texts: Sequence[str]) -> bytes:
    encoded = [text.encode("utf-8", "backslashreplace") for text in texts]
    return b"".join(struct.pack("<I", len(text)) + text for text in encoded)

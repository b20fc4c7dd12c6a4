"""`images.xml`: the graph that takes images of any size, in OpenVINO's format."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.conversion.draft import Draft
from convscope.conversion.image_graph import FITTED, image_graph
from convscope.conversion.parity import FileDifferences, ImageEngine
from convscope.errors import ConvscopeError

IMAGES_IR = "images.xml"


def write_image_ir(draft: Draft) -> tuple[FileDifferences | None, str]:
    """Write the graph around a draft's network, and compare it in OpenVINO.

    Returns the differences, or None and why it was not written.
    """
    import openvino  # noqa: PLC0415 -- an extra

    library: Any = openvino
    path = draft.folder / IMAGES_IR
    reason = "OpenVINO answers differently"
    try:
        content = image_graph(draft.graph, draft.card, draft.suppression).SerializeToString()
        library.save_model(library.Core().read_model(content), str(path), compress_to_fp16=False)
        found = draft.reference.of_images(_open(path, draft.threads))
        if found.hold():
            return found, ""
    except (ConvscopeError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
    for file in (path, path.with_suffix(".bin")):
        file.unlink(missing_ok=True)
    return None, f"{IMAGES_IR} was left out: {reason}."


def _open(path: Path, threads: int) -> ImageEngine:
    """The file as it is, with what it feeds the network as a further output."""
    import openvino  # noqa: PLC0415

    core: Any = openvino.Core()
    model: Any = core.read_model(str(path))
    model.add_outputs(FITTED)
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled: Any = core.compile_model(model, "CPU", settings)

    def run(images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        answers = compiled([images])
        return {output.any_name: answers[output].copy() for output in compiled.outputs}

    return run

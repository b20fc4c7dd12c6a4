"""The folder of an exported network while it is written and compared."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from convscope.card import Card
from convscope.conversion.image_graph import FITTED, IMAGES, PROBABILITIES, image_graph
from convscope.conversion.libraries import onnx_library
from convscope.conversion.network_graph import exportable, network_graph
from convscope.conversion.parity import ImageEngine, Reference
from convscope.conversion.sample_files import golden_images, read_samples
from convscope.engines import is_installed
from convscope.models import OpenedModel
from convscope.version import __version__
from convscope.words import visible
from convscope.words.json_text import to_json

if TYPE_CHECKING:
    import onnx

MODEL_FILE, IMAGES_FILE = "model.onnx", "images.onnx"


@dataclass(frozen=True)
class Draft:
    """A network that is being exported.

    Attributes:
        opened: the network and what is known of it, as it was handed over.
        net: a copy in eval mode, float32 on the CPU.
        network: the same as ONNX.
        folder: with the files that are written so far.
        threads: for which engines are opened.
        golden: a few images, whose answers travel along.
        reference: what PyTorch answers.
    """

    opened: OpenedModel
    net: nn.Module
    network: "onnx.ModelProto"
    folder: Path
    threads: int
    golden: NDArray[np.uint8]
    reference: Reference

    @classmethod
    def of(cls, opened: OpenedModel, folder: Path, *, threads: int) -> "Draft":
        """Write the two ONNX files. Raises NetworkError where the network cannot be written."""
        net, card = exportable(opened.net), opened.card
        network = network_graph(net, (card.in_channels, *card.input_size), len(card.classes))
        _add_metadata(network, opened)
        reference = Reference.of(net, card, read_samples(card))
        draft = cls(opened, net, network, folder, threads, golden_images(card), reference)
        return draft.with_network(network)

    def with_network(self, network: "onnx.ModelProto") -> "Draft":
        """Write the two ONNX files anew, from another graph."""
        (self.folder / MODEL_FILE).write_bytes(network.SerializeToString())
        images = image_graph(network, self.card)
        (self.folder / IMAGES_FILE).write_bytes(images.SerializeToString())
        return replace(self, network=network)

    @property
    def card(self) -> Card:
        return self.opened.card

    def image_engine(self) -> ImageEngine | None:
        """`images.onnx` in ONNX Runtime, with what it feeds the network."""
        if not is_installed("onnxruntime"):
            return None
        from convscope.engines.onnxruntime_engine import open_session  # noqa: PLC0415 -- an extra

        model: Any = onnx_library().load(self.folder / IMAGES_FILE)
        model.graph.output.append(onnx_library().helper.make_empty_tensor_value_info(FITTED))
        session: Any = open_session(model.SerializeToString(), threads=self.threads)

        def run(images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            fed, shares = session.run([FITTED, PROBABILITIES], {IMAGES: images})
            return fed, shares

        return run


def _add_metadata(network: "onnx.ModelProto", opened: OpenedModel) -> None:
    """Classes and card travel inside, for programs that have the file alone."""
    onnx_library().helper.set_model_props(
        network,
        {
            "name": visible(opened.name),
            "classes": to_json(list(opened.card.classes)),
            "card": opened.card.to_json(),
            "made_with": f"convscope {__version__}",
        },
    )

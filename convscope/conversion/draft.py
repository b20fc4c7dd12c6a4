"""The folder of an exported network while it is written and compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from convscope.card import Card
from convscope.conversion.batch_norm import check_folded
from convscope.conversion.box_graph import SuppressionPlace
from convscope.conversion.exporter_errors import not_exported
from convscope.conversion.image_graph import FITTED, IMAGES, image_graph
from convscope.conversion.libraries import onnx_library
from convscope.conversion.network_graph import exportable, network_graph
from convscope.conversion.parity import ImageEngine, Reference
from convscope.conversion.redundant_filters import fold_filters
from convscope.conversion.sample_files import golden_images, read_samples
from convscope.engines import is_installed
from convscope.errors import ConvscopeError, NetworkError
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
        folder: with the files that are written so far.
        threads: for which engines are opened.
        golden: a few images, whose answers travel along.
        reference: what PyTorch answers.
        suppression: where boxes are suppressed, of a network that finds objects.
        network: the same as ONNX; None where that is not written.
        folded: by layer, how many filters were taken out of it, for they make no difference.
        changed: names of the values in it that have fewer channels by that.
    """

    opened: OpenedModel
    net: nn.Module
    folder: Path
    threads: int
    golden: NDArray[np.uint8]
    reference: Reference
    suppression: SuppressionPlace = "inside"
    network: "onnx.ModelProto | None" = None
    folded: Mapping[str, int] = field(default_factory=dict[str, int])
    changed: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        opened: OpenedModel,
        folder: Path,
        *,
        threads: int,
        suppression: SuppressionPlace = "inside",
    ) -> "Draft":
        """Ask the network for its answers; nothing is written yet.

        Raises NetworkError where it has none.
        """
        net, card = exportable(opened.net), opened.card
        try:
            reference = Reference.of(net, card, read_samples(card, opened.run))
        except ConvscopeError:
            raise
        except Exception as error:
            shape = card.in_channels, *card.input_size
            raise NetworkError(not_exported(error, net, shape)) from error
        return cls(opened, net, folder, threads, golden_images(card), reference, suppression)

    def as_onnx(self, *, fold: bool = False) -> "Draft":
        """Write the two ONNX files, without redundant filters if they are to be folded.

        Raises NetworkError where the network cannot be written.
        """
        card = self.card
        network = network_graph(self.net, (card.in_channels, *card.input_size), card.num_outputs)
        _add_metadata(network, self.opened)
        folded, changed = fold_filters(network) if fold else ({}, frozenset[str]())
        check_folded(network)
        return replace(self.with_network(network), folded=folded, changed=changed)

    def with_network(self, network: "onnx.ModelProto") -> "Draft":
        """Write the two ONNX files anew, from another graph."""
        (self.folder / MODEL_FILE).write_bytes(network.SerializeToString())
        images = image_graph(network, self.card, self.suppression)
        (self.folder / IMAGES_FILE).write_bytes(images.SerializeToString())
        return replace(self, network=network)

    @property
    def graph(self) -> "onnx.ModelProto":
        """The network as ONNX, once that is written."""
        assert self.network is not None
        return self.network

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

        names = [output.name for output in session.get_outputs()]

        def run(images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
            return dict(zip(names, session.run(names, {IMAGES: images}), strict=True))

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

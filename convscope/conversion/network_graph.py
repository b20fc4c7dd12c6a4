"""The network as an ONNX graph: float32 (n, c, h, w), normalized, to its logits (n, classes).

PyTorch's pooling means something else in other engines, or loses a number on the way, and is
written so that every engine agrees: see `pooling`.
"""

import copy
import io
import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from convscope.conversion import single_operations
from convscope.conversion.batch_norm import fold_batch_norm
from convscope.conversion.exporter_errors import FROZEN, not_exported
from convscope.conversion.layer_names import name_by_layer
from convscope.conversion.libraries import onnx_library, onnxscript_library
from convscope.conversion.lrn import lrn_as_one_operation
from convscope.conversion.pooling import translations
from convscope.errors import NetworkError
from convscope.forward import main_output

if TYPE_CHECKING:
    import onnx

INPUT, LOGITS = "input", "logits"
OPSET = 20
_LARGEST_BATCH = 2**16
_LIMIT = 2**31 - 2**20
"""Bytes of a file: what protobuf, and so ONNX, holds in one."""


class Logits(nn.Module):
    """The network in eval mode, float32 on the CPU, of whose outputs the logits are returned."""

    def __init__(self, net: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.net = net
        self.num_classes = num_classes

    def forward(self, x: Tensor) -> Tensor:
        logits = main_output(self.net(x), self.num_classes)
        if logits is None:
            raise NetworkError("It is not plain which of the network's outputs are the logits.")
        return logits


def exportable(net: nn.Module) -> nn.Module:
    """A copy in eval mode, float32 on the CPU in the contiguous layout; `net` stays as it is."""
    copied = copy.deepcopy(net).eval().float().cpu()
    for values in (*copied.parameters(), *copied.buffers()):
        values.data = values.data.contiguous()
    return copied


def batch_dimension() -> Any:
    """The number of images, which is free."""
    return torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)


def network_graph(
    net: nn.Module, input_shape: tuple[int, int, int], num_classes: int
) -> "onnx.ModelProto":
    """The graph of a network for images (channels, height, width); the batch is free.

    `net` is what `exportable` returned. Nodes and values bear the names of the layers.

    Raises NetworkError where the network cannot be written so: PyTorch's exporter cannot follow
    its code, or the code takes the number of images as a constant.
    """
    onnx = onnx_library()
    onnxscript_library()
    images = torch.zeros(2, *input_shape)  # of one image, the exporter would make a constant
    try:
        with _quiet(), lrn_as_one_operation():
            program: Any = torch.onnx.export(
                Logits(net, num_classes),
                (images,),
                dynamo=True,
                dynamic_shapes=({0: batch_dimension()},),
                input_names=[INPUT],
                output_names=[LOGITS],
                opset_version=OPSET,
                custom_translation_table={**single_operations.translations(), **translations()},
                external_data=False,
                verbose=False,
            )
    except NetworkError:
        raise
    except Exception as error:
        raise NetworkError(not_exported(error, net, input_shape)) from error
    name_by_layer(program.model, prefix="net.")
    size = sum(value.const_value.nbytes for value in program.model.graph.initializers.values())
    if size > _LIMIT:
        raise NetworkError(f"The weights take {size:,} bytes; an ONNX file holds {_LIMIT:,}.")
    model: Any = program.model_proto
    if not model.graph.input[0].type.tensor_type.shape.dim[0].dim_param:
        raise NetworkError(FROZEN)
    _refuse_training(model)
    fold_batch_norm(model)
    onnx.checker.check_model(model)
    return model


def _refuse_training(model: "onnx.ModelProto") -> None:
    """Refuse what behaves as in training: units dropped, statistics of the batch."""
    for node in model.graph.node:
        trained = any(mark.name == "training_mode" and mark.i for mark in node.attribute)
        if node.op_type == "Dropout" or trained:
            raise NetworkError(
                f"{node.name} ({node.op_type}) behaves as in training although the network is in "
                "eval mode. Its code must ask for `self.training`."
            )


@contextmanager
def _quiet() -> Generator[None]:
    """Without what the exporter says of its own code; what fails is raised."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

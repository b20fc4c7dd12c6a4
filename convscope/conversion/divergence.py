"""Which layer is the first whose exported form answers differently."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from convscope.conversion.libraries import onnx_library
from convscope.conversion.network_graph import INPUT
from convscope.conversion.parity import difference
from convscope.engines import Batch, Engine

if TYPE_CHECKING:
    import onnx


def first_divergence(
    net: nn.Module,
    model: "onnx.ModelProto",
    images: Tensor,
    open_model: "Callable[[onnx.ModelProto], Engine]",
    *,
    tolerance: float,
    without: Collection[str] = (),
) -> str | None:
    """The name of the first layer whose output for `images` differs; None if none does.

    The graph is cut behind one layer after the other, as a binary search, and run in the engine.
    Layers that are named in `without` are left out.
    """
    expected = _outputs_of_layers(net, images)
    layers = [
        name
        for node in model.graph.node
        for name in node.output
        if name in expected and name not in without
    ]
    extractor: Any = onnx_library().utils.Extractor(model)

    def differs(layer: str) -> bool:
        part = extractor.extract_model([INPUT], [layer])
        found: Batch = open_model(part)(images.numpy())
        return difference(found, expected[layer].numpy()) > tolerance

    low, high = 0, len(layers)  # layers before low agree, those from high on differ
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if differs(layers[middle]) else (middle + 1, high)
    return layers[low] if low < len(layers) else None


@torch.inference_mode()
def _outputs_of_layers(net: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """What each layer returned that ran once and returned a tensor, by its name."""
    outputs: dict[str, Tensor] = {}
    repeated: set[str] = set()

    def keep(name: str) -> Callable[[nn.Module, Any, object], None]:
        def hook(_: nn.Module, __: Any, output: object) -> None:
            if name in outputs:
                repeated.add(name)
            if isinstance(output, Tensor) and output.dtype == torch.float32:
                outputs[name] = output.clone()

        return hook

    handles = [
        net.get_submodule(name).register_forward_hook(keep(name))
        for name in dict(net.named_modules())
        if name
    ]
    try:
        net(images)
    finally:
        for handle in handles:
            handle.remove()
    return {name: output for name, output in outputs.items() if name not in repeated}

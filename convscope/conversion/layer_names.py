"""Names in an ONNX graph: those of the network's layers, as in its checkpoint."""

import ast
from collections import Counter
from typing import Any

_SCOPES = "pkg.torch.onnx.name_scopes"


def name_by_layer(model: Any, *, prefix: str) -> None:
    """Name nodes, values and weights of an `onnx_ir.Model` by layer, in place.

    A node is named as its layer, `conv2` or `layer1.0.conv1`; further nodes of the layer get its
    name and their operation. What a layer returns has the layer's name, too. `prefix` is that of
    the module around the network, and is left out.
    """
    graph = model.graph
    last: dict[str, Any] = {}
    counts: Counter[str] = Counter()
    inputs_and_outputs = {value.name for value in (*graph.inputs, *graph.outputs)}
    for node in graph:
        layer = layer_of(node, prefix=prefix)
        name = layer if layer and not counts[layer] else f"{layer or 'forward'}/{node.op_type}"
        counts[layer] += 1
        counts[name] += name != layer
        node.name = name if counts[name] < 2 or name == layer else f"{name}_{counts[name]}"
        if layer:
            last[layer] = node
    for layer, node in last.items():
        if len(node.outputs) == 1 and node.outputs[0].name not in inputs_and_outputs:
            node.outputs[0].name = layer
    for name in [name for name in graph.initializers if name.startswith(prefix)]:
        graph.initializers[name].name = name.removeprefix(prefix)


def layer_of(node: Any, *, prefix: str) -> str:
    """The path of the innermost layer in whose `forward` a node arose; empty for the network's."""
    scopes = ast.literal_eval(node.metadata_props.get(_SCOPES, "['', '']"))
    path = scopes[-2] if len(scopes) > 1 else ""
    return path.removeprefix(prefix) if path.startswith(prefix) else ""

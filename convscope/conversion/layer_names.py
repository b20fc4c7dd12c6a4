"""Names in an ONNX graph: those of the network's layers, as in its checkpoint."""

import ast
from collections import Counter
from collections.abc import Collection
from itertools import count
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
    for node in graph:
        layer = layer_of(node, prefix=prefix)
        name = layer if layer and not counts[layer] else f"{layer or 'forward'}/{node.op_type}"
        counts[layer] += 1
        counts[name] += name != layer
        node.name = name if counts[name] < 2 or name == layer else f"{name}_{counts[name]}"
        if layer:
            last[layer] = node
    names = _Names(graph)
    for layer, node in last.items():
        names.vacate(layer, node.outputs)
        if len(node.outputs) == 1:
            names.give(layer, node.outputs[0])
    for name in [name for name in graph.initializers if name.startswith(prefix)]:
        value = graph.initializers[name]
        names.vacate(name.removeprefix(prefix), (value,))
        names.give(name.removeprefix(prefix), value)


class _Names:
    """The names of a graph's values, each of one value; those of inputs and outputs stay."""

    def __init__(self, graph: Any) -> None:
        self._fixed = {value.name for value in (*graph.inputs, *graph.outputs)}
        made = (value for node in graph for value in node.outputs)
        self._values = {value.name: value for value in (*made, *graph.initializers.values())}

    def vacate(self, name: str, owners: Collection[Any]) -> None:
        """Rename the value that has a name by chance: the exporter names values by operation,
        and a layer may be called `relu`, too.
        """
        value = self._values.get(name)
        if value is None or name in self._fixed or any(value is owner for owner in owners):
            return
        free = next(new for n in count(1) if (new := f"{name}/{n}") not in self._values)
        self.give(free, value)

    def give(self, name: str, value: Any) -> None:
        """Rename a value, unless it or another that has this name is an input or output."""
        if not {name, value.name} & self._fixed:
            self._values.pop(value.name, None)
            value.name = name
            self._values[name] = value


def layer_of(node: Any, *, prefix: str) -> str:
    """The path of the innermost layer in whose `forward` a node arose; empty for the network's."""
    scopes = ast.literal_eval(node.metadata_props.get(_SCOPES, "['', '']"))
    path = scopes[-2] if len(scopes) > 1 else ""
    return path.removeprefix(prefix) if path.startswith(prefix) else ""

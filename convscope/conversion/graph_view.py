"""An ONNX graph whose constants are read, and replaced, by name."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convscope.conversion.libraries import onnx_library

if TYPE_CHECKING:
    import onnx


class GraphView:
    """A graph that is being changed; `finish` makes its other parts fit."""

    def __init__(self, model: "onnx.ModelProto") -> None:
        graph: Any = model.graph
        self._model = model
        self._graph = graph
        helper: Any = onnx_library().numpy_helper
        self._arrays: dict[str, NDArray[Any]] = {
            value.name: helper.to_array(value) for value in graph.initializer
        }
        self.outputs = {value.name for value in graph.output}
        self.makers: dict[str, Any] = {name: node for node in graph.node for name in node.output}
        self.users: dict[str, list[Any]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self.users[name].append(node)
        self._shapes = {
            value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
            for value in graph.value_info
        }
        self._uses = Counter(name for node in graph.node for name in node.input)

    def layers(self) -> Iterator[Any]:
        """Convolutions without groups, and dense layers, whose weights are theirs alone."""
        for node in self._graph.node:
            if node.op_type in {"Conv", "Gemm"} and self.has_own_weights(node):
                yield node

    def has_own_weights(self, node: Any) -> bool:
        """Whether the constants of a layer are stored, no other node's, and of its filters."""
        if not all(name in self._arrays and self._uses[name] == 1 for name in node.input[1:]):
            return False
        if node.op_type == "Conv":
            return self.mark(node, "group", 1) == 1
        is_plain = self.mark(node, "alpha", 1.0) == self.mark(node, "beta", 1.0) == 1
        if not is_plain or self.mark(node, "transA", 0) or not self.mark(node, "transB", 0):
            return False
        filters = len(self._arrays[node.input[1]])
        return len(node.input) < 3 or self._arrays[node.input[2]].shape == (filters,)

    def positions(self, name: str) -> int | None:
        """Of a value (n, channels, ...), how many numbers a channel has; None if that is free."""
        sides = self._shapes.get(name)
        return math.prod(sides[2:]) or None if sides and len(sides) > 1 else None

    def is_constant(self, name: str) -> bool:
        return name in self._arrays

    def array(self, name: str) -> NDArray[Any]:
        """A stored constant."""
        return self._arrays[name]

    @staticmethod
    def mark(node: Any, name: str, default: Any) -> Any:
        """An attribute of a node."""
        for mark in node.attribute:
            if mark.name == name:
                return onnx_library().helper.get_attribute_value(mark)
        return default

    def replace(self, node: Any, name: str, values: NDArray[Any]) -> None:
        """Let a node have other values for one of its constants, and no other node."""
        if self._uses[name] > 1:
            new = f"{name}.of.{node.output[0]}"
            node.input[list(node.input).index(name)] = new
            self._uses[name] -= 1
            self._uses[new] = 1
            name = new
        self._arrays[name] = np.ascontiguousarray(values)

    def set_bias(self, node: Any, values: NDArray[np.float32]) -> None:
        if len(node.input) > 2 and node.input[2]:
            self.replace(node, node.input[2], values)
            return
        name = f"{node.output[0]}.bias.folded"
        del node.input[2:]
        node.input.append(name)
        self._arrays[name], self._uses[name] = values, 1

    def flatten(self, node: Any, width: int) -> None:
        """Let a Reshape make (n, width)."""
        self.replace(node, node.input[1], np.array([-1, width], np.int64))

    def finish(self) -> None:
        """Write the constants, and infer the shapes of all values."""
        library, graph = onnx_library(), self._graph
        del graph.initializer[:]
        graph.initializer.extend(
            library.numpy_helper.from_array(values, name)
            for name, values in self._arrays.items()
            if self._uses[name]
        )
        del graph.value_info[:]
        self._model.CopyFrom(library.shape_inference.infer_shapes(self._model))

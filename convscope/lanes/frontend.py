"""From a network of PyTorch to the nodes of the engine, or the reason why not."""

import operator

import torch
from torch import fx, nn
from torch.nn import functional as F

from convscope.lanes.graph import (
    Activation,
    BatchNorm,
    Convolution,
    Dropout,
    Image,
    Node,
    Pool,
    Shape,
    Sum,
)
from convscope.lanes.layers import (
    Unsupported,
    activation_of,
    batch_norm,
    channel_pad,
    convolution,
    mean_pool,
    pool_of,
    weights_of,
)
from convscope.lanes.schedule import scheduled
from convscope.layers import LocallyConnected2d, MinPool2d


def read_network(net: nn.Module, shape: Shape) -> list[Node]:
    """The nodes of `net` for images of `shape`, the image first, the logits last.

    Raises Unsupported, with the reason, for what the engine does not cover.
    """
    for name, weight in net.named_parameters():
        _check_weight(name, weight)
    modules: dict[str, nn.Module] = dict(net.named_modules())
    for name, module in modules.items():
        kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
        if any(getattr(module, kind) for kind in kinds):
            raise Unsupported(f"{name or 'it'} has hooks, which would not be called")
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d) and net.training > module.training:
            raise Unsupported(f"{name} is held as it is")
    try:
        graph = _Tracer().trace(net)
    except Exception as error:
        raise Unsupported(f"its forward pass cannot be traced ({_first_line(error)})") from error
    reader = _Reader(net, shape)
    for node in graph.nodes:
        reader.take(node)
    return scheduled(reader.finished())


def _check_weight(name: str, weight: nn.Parameter) -> None:
    if nn.parameter.is_lazy(weight):
        raise Unsupported(f"{name} has no size yet")
    if not weight.requires_grad:
        raise Unsupported(f"{name} is held as it is")
    if weight.dtype != torch.float32 or weight.device.type != "cpu":
        raise Unsupported(f"{name} is of {weight.dtype} on {weight.device}")


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        ours = m.__class__.__module__.startswith("convscope.layers")
        return ours or super().is_leaf_module(m, module_qualified_name)


class _Reader:
    """Takes the operations of a traced network one by one."""

    def __init__(self, net: nn.Module, shape: Shape) -> None:
        self.net = net
        self.shape = shape
        self.nodes: list[Node] = []
        self.indices: dict[fx.Node, int] = {}
        self.flat: set[fx.Node] = set()
        self.seen: set[nn.Module] = set()
        self.answer: int | None = None

    def take(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            if self.nodes:
                raise Unsupported("it has more than one input")
            self._add(node, Image(name="image", inputs=(), shape=self.shape))
        elif node.op == "output":
            self._end(node)
        elif node.op == "call_module":
            module = self.net.get_submodule(str(node.target))
            has_state = any(True for _ in [*module.parameters(), *module.buffers()])
            if module in self.seen and has_state:
                raise Unsupported(f"{node.target} is used twice")
            self.seen.add(module)
            self._module(node, module)
        elif node.op == "get_attr":
            raise Unsupported(f"it uses the tensor {node.target} outside a layer")
        else:
            self._call(node)

    def finished(self) -> list[Node]:
        self._check_ends()
        if self.answer != len(self.nodes) - 1 or self.nodes[-1].shape[1:] != (1, 1):
            raise Unsupported("it does not end with one vector of logits")
        last = self.nodes[-1]
        if not isinstance(last, Pool) and not (isinstance(last, Convolution) and last.dense):
            # a vector by itself: a convolution's gradient may have a halo, which the loss ignores
            end = mean_pool("logits", len(self.nodes) - 1, last.shape, nn.AvgPool2d(1))
            self.nodes.append(end)
        return self.nodes

    def _check_ends(self) -> None:
        """Whether every volume and every weight takes part in the answer."""
        read = {index for node in self.nodes for index in node.inputs}
        for index, node in enumerate(self.nodes):
            if index not in read and index != self.answer:
                raise Unsupported(f"{node.name} leads nowhere")
        layers = [node for node in self.nodes if isinstance(node, Convolution)]
        holders = [node for node in self.nodes if isinstance(node, Convolution | BatchNorm)]
        known = {id(weight) for node in holders for weight in (node.weight, node.bias)}
        for name, weight in self.net.named_parameters():
            if id(weight) not in known:
                raise Unsupported(f"{name} takes no part in its answer")
        weights = [weight for node in holders for weight in (node.weight, node.bias)]
        count = sum(weight is not None for weight in weights)
        if not layers or len(known - {id(None)}) < count:
            raise Unsupported("layers share their weights" if layers else "it has no weights")

    def _end(self, node: fx.Node) -> None:
        (result,) = node.args
        if not isinstance(result, fx.Node):
            raise Unsupported("it answers with more than logits")
        self.answer = self.indices[result]
        if result not in self.flat:
            raise Unsupported("it does not end with one vector of logits")

    def _add(self, node: fx.Node, dropout: Node, *, in_place: bool = False) -> None:
        """Append a node; done in place, whoever holds what it was made from holds it too."""
        index = len(self.nodes)
        if in_place:
            before = dropout.inputs[0]
            self.indices = {key: index if at == before else at for key, at in self.indices.items()}
        self.indices[node] = index
        self.nodes.append(dropout)

    def _input(self, node: fx.Node, index: int = 0) -> tuple[fx.Node, int, Shape]:
        argument = node.args[index] if len(node.args) > index else node.kwargs.get("input")
        if not isinstance(argument, fx.Node):
            raise Unsupported(f"{node.name} has an input that is no volume")
        return argument, self.indices[argument], self.nodes[self.indices[argument]].shape

    def _module(self, node: fx.Node, module: nn.Module) -> None:
        argument, index, shape = self._input(node)
        match module:
            case nn.Conv2d() | LocallyConnected2d():
                self._add(node, convolution(node.name, index, shape, module))
            case nn.Linear():
                self._dense(node, module, argument, index, shape)
            case nn.MaxPool2d() | MinPool2d() | nn.AvgPool2d() | nn.AdaptiveAvgPool2d():
                self._add(node, pool_of(node.name, index, shape, module))
            case nn.Dropout() | nn.Dropout2d():
                self._dropout(node, module)
            case nn.BatchNorm2d() | nn.BatchNorm1d():
                self._norm(node, module)
            case nn.ZeroPad3d():
                self._add(node, channel_pad(node.name, index, shape, module))
            case nn.Flatten() if (module.start_dim, module.end_dim) == (1, -1):
                self._same(node, flat=True)
            case nn.Identity():
                self._same(node)
            case _:
                found = activation_of(module)
                if found is None:
                    raise Unsupported(f"{node.target} is a {type(module).__name__}")
                in_place = bool(getattr(module, "inplace", False))
                self._activate(node, *found, in_place=in_place)

    def _norm(self, node: fx.Node, layer: nn.BatchNorm2d | nn.BatchNorm1d) -> None:
        argument, index, shape = self._input(node)
        if argument in self.flat:
            self.flat.add(node)
        flat, path = argument in self.flat, str(node.target)
        self._add(node, batch_norm(node.name, index, shape, layer, path=path, flat=flat))

    def _call(self, node: fx.Node) -> None:
        target = node.target if node.op == "call_function" else str(node.target)
        if target in _ADDITIONS and len(node.args) == 2 and not _named(node):
            self._sum(node, in_place=target in _IN_PLACE)
        elif target in _ACTIVATIONS:
            told = node.args[1] if len(node.args) > 1 else node.kwargs.get("inplace", False)
            in_place = target in _IN_PLACE or bool(told)
            self._activate(node, _ACTIVATIONS[target], in_place=in_place)
        elif target in (torch.flatten, "flatten") and node.args[1:] == (1,) and not _named(node):
            self._same(node, flat=True)
        elif target in (F.dropout, F.dropout2d):
            raise Unsupported(f"{node.name} is a function; dropout must be a layer")
        else:
            raise Unsupported(f"{node.name} is not among its operations")

    def _same(self, node: fx.Node, *, flat: bool = False) -> None:
        argument, index, _ = self._input(node)
        self.indices[node] = index
        if flat or argument in self.flat:
            self.flat.add(node)

    def _activate(
        self, node: fx.Node, kind: str, numbers: tuple[float, ...] = (), *, in_place: bool = False
    ) -> None:
        argument, index, shape = self._input(node)
        if argument in self.flat:
            self.flat.add(node)
        self._add(
            node,
            Activation(name=node.name, inputs=(index,), shape=shape, kind=kind, numbers=numbers),
            in_place=in_place,
        )

    def _dropout(self, node: fx.Node, layer: nn.Dropout | nn.Dropout2d) -> None:
        if layer.p == 0:
            self._same(node)
            return
        if layer.p == 1:
            raise Unsupported(f"{node.target} drops everything")
        argument, index, shape = self._input(node)
        maps = isinstance(layer, nn.Dropout2d)
        if argument in self.flat:
            self.flat.add(node)
            if maps:
                raise Unsupported(f"{node.target} drops maps where there are none")
        dropout = Dropout(name=node.name, inputs=(index,), shape=shape, share=layer.p, maps=maps)
        self._add(node, dropout, in_place=layer.inplace)

    def _sum(self, node: fx.Node, *, in_place: bool) -> None:
        (one, first, shape), (two, second, other) = self._input(node), self._input(node, 1)
        if shape != other or (one in self.flat) != (two in self.flat):
            raise Unsupported(f"{node.name} adds volumes of different shapes")
        if one in self.flat:
            self.flat.add(node)
        dropout = Sum(name=node.name, inputs=(first, second), shape=shape)
        self._add(node, dropout, in_place=in_place)

    def _dense(
        self, node: fx.Node, layer: nn.Linear, argument: fx.Node, index: int, shape: Shape
    ) -> None:
        if shape[1:] != (1, 1) and argument not in self.flat:
            raise Unsupported(f"{node.target} is dense over the last axis of a map")
        inputs = shape[0] * shape[1] * shape[2]
        if layer.in_features != inputs:
            raise Unsupported(f"{node.target} takes {layer.in_features} inputs, not {inputs}")
        self.flat.add(node)
        self._add(
            node,
            Convolution(
                name=node.name,
                inputs=(index,),
                shape=(layer.out_features, 1, 1),
                kernel=shape[1:],
                stride=(1, 1),
                padding=(0, 0),
                dilation=(1, 1),
                **weights_of(node.name, layer),
                dense=True,
            ),
        )


_ADDITIONS: frozenset[object] = frozenset({operator.add, operator.iadd, torch.add, "add", "add_"})
_ACTIVATIONS: dict[object, str] = {
    torch.relu: "relu", F.relu: "relu", "relu": "relu", "relu_": "relu",
    torch.tanh: "tanh", F.tanh: "tanh", "tanh": "tanh",
    torch.sigmoid: "sigmoid", F.sigmoid: "sigmoid", "sigmoid": "sigmoid",
}  # fmt: skip


_IN_PLACE: frozenset[object] = frozenset({operator.iadd, "add_", "relu_"})


def _named(node: fx.Node) -> bool:
    return any(value not in (None, False) for value in node.kwargs.values())


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")

"""Run a network once and note every operation: what it computed, from what, and where."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn, overrides
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

IMAGE = "image"
"""The name of what the network was given, where an operation's operands are named."""


class Shape(tuple[int, ...]):
    """The shape of a tensor, where it stands for the tensor."""

    __slots__ = ()


@dataclass(frozen=True)
class Operation:
    """One operation of one forward pass.

    Attributes:
        name: the path of the module that it is the answer of (`layer1.0.conv1`), or the path of the
            module that called it and its kind (`layer1.0.add`); a second one is `..._2`.
        kind: the function (`conv2d`, `add`, `relu`), or a layer of convscope's (`MinPool2d`).
        module: the path of the module that called it; empty for the network itself.
        layer: that module, where the operation is the whole of what a layer of convscope's does.
        operands: names of the operations whose results it took, in order, or IMAGE.
        parameters: names of the parameters and buffers that it took, by argument.
        arguments: what it was called with, by the name that torch has for it, or its position (`1`)
            where convscope knows none; of a tensor, its Shape.
        shape: of its result, with the batch axis; of the first one, where there are several.
    """

    name: str
    kind: str
    module: str
    layer: nn.Module | None
    operands: tuple[str, ...]
    parameters: tuple[str, ...]
    arguments: Mapping[str, Any]
    shape: tuple[int, ...]


def operations(net: nn.Module, image: Tensor) -> tuple[Operation, ...]:
    """The operations of one forward pass over `image` (1, c, h, w), in order of execution.

    The network runs as it is, without gradients, and is left as it was. On meta tensors nothing is
    computed but shapes.

        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten())
        >>> done = operations(net, torch.zeros(1, 3, 5, 5))
        >>> [(step.name, step.kind, step.operands) for step in done]
        [('0', 'conv2d', ('image',)), ('1', 'relu', ('0',)), ('2', 'flatten', ('1',))]
    """
    recorder = _Recorder(net, image)
    with torch.no_grad(), recorder.watching(), recorder:
        net(image)
    return tuple(recorder.named())


@dataclass
class _Noted:
    """An operation before it has a name: operands are places in the list, -1 for the image."""

    kind: str
    module: str
    call: int
    layer: nn.Module | None
    operands: tuple[int, ...]
    parameters: tuple[str, ...]
    arguments: dict[str, Any]
    shape: tuple[int, ...]


class _Recorder(TorchFunctionMode):
    """Sees every function of torch that is called, and in which module's forward."""

    def __init__(self, net: nn.Module, image: Tensor) -> None:
        super().__init__()
        self.modules = dict[str, nn.Module](net.named_modules())
        self.noted: list[_Noted] = []
        self.source: dict[int, int] = {id(image): -1}
        self.alive: list[Tensor] = [image]  # an id means something only while its tensor lives
        state = [*net.named_parameters(), *net.named_buffers()]
        self.state = {id(tensor): name for name, tensor in state}
        self.stack: list[tuple[str, int]] = []
        self.calls = 0
        self.whole = 0  # how many layers of convscope's we are inside of

    def watching(self) -> ExitStack:
        """Know in which module the network is, until the stack is closed."""
        hooks = ExitStack()
        for path, module in self.modules.items():
            enter: RemovableHandle = module.register_forward_pre_hook(
                partial(self._enter, path), prepend=True
            )
            leave: RemovableHandle = module.register_forward_hook(self._leave, always_call=True)
            hooks.callback(enter.remove)
            hooks.callback(leave.remove)
        return hooks

    def _enter(self, path: str, module: nn.Module, _inputs: object) -> None:
        self.calls += 1
        self.stack.append((path, self.calls))
        self.whole += _is_whole(module)

    def _leave(self, module: nn.Module, inputs: tuple[Any, ...], answer: object) -> None:
        if _is_whole(module):
            self.whole -= 1
            parameters = [name for name, _ in module.named_parameters(recurse=False)]
            path = self.stack[-1][0]
            if not self.whole and isinstance(answer, Tensor):
                names = tuple(f"{path}.{name}" if path else name for name in parameters)
                operands = self._operands(inputs)
                self._note(type(module).__name__, module, operands, names, {}, answer)
        self.stack.pop()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        operands = () if self.whole else self._operands((*args, *kwargs.values()))
        answer = func(*args, **kwargs)
        result = _first_tensor(answer)
        if operands and result is not None:
            kind = _kind(func)
            given = {**_by_name(kind, args), **kwargs}
            names = tuple(self.state[id(t)] for t in _tensors(given) if id(t) in self.state)
            plain = {name: _plain(value) for name, value in given.items()}
            self._note(kind, None, operands, names, plain, answer)
        return answer

    def _operands(self, values: Sequence[Any]) -> tuple[int, ...]:
        return tuple(self.source[id(t)] for t in _tensors(values) if id(t) in self.source)

    def _note(
        self,
        kind: str,
        layer: nn.Module | None,
        operands: tuple[int, ...],
        parameters: tuple[str, ...],
        arguments: dict[str, Any],
        answer: object,
    ) -> None:
        path, call = self.stack[-1] if self.stack else ("", 0)
        for tensor in _tensors([answer]):
            self.source[id(tensor)] = len(self.noted)
            self.alive.append(tensor)
        shape = tuple(next(_tensors([answer])).shape)
        self.noted.append(_Noted(kind, path, call, layer, operands, parameters, arguments, shape))

    def named(self) -> Iterator[Operation]:
        """Give every operation its name. The last one inside a leaf module has the module's own."""
        parents = {path for path, module in self.modules.items() if any(module.children())}
        last = {noted.call: place for place, noted in enumerate(self.noted)}
        seen: dict[str, int] = {}
        names: list[str] = []
        for place, noted in enumerate(self.noted):
            own = noted.module and noted.module not in parents and last[noted.call] == place
            wish = noted.module if own else f"{noted.module}.{noted.kind}".lstrip(".")
            seen[wish] = seen.get(wish, 0) + 1
            names.append(wish if seen[wish] == 1 else f"{wish}_{seen[wish]}")
            yield Operation(
                name=names[-1],
                kind=noted.kind,
                module=noted.module,
                layer=noted.layer,
                operands=tuple(IMAGE if o < 0 else names[o] for o in noted.operands),
                parameters=noted.parameters,
                arguments=noted.arguments,
                shape=noted.shape,
            )


def _is_whole(module: nn.Module) -> bool:
    """Whether a module counts as one operation: the papers' own, which torch.nn has not."""
    return type(module).__module__.startswith("convscope.layers.")


def _kind(func: Callable[..., Any]) -> str:
    """`conv2d`, `add` for `torch.Tensor.__iadd__`, `T` for the property of that name."""
    name: str | None = overrides.resolve_name(func)
    parts = (name or getattr(func, "__name__", "function")).split(".")
    word = parts[-2] if parts[-1] == "__get__" else parts[-1]
    bare = word.strip("_")
    return _SPELLINGS.get(bare, bare)


_WINDOW = ("input", "kernel_size", "stride", "padding")
_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = (*_CONVOLUTION[:5], "output_padding", "groups", "dilation")
_ARGUMENTS = {
    "conv1d": _CONVOLUTION,
    "conv2d": _CONVOLUTION,
    "conv3d": _CONVOLUTION,
    "conv_transpose1d": _TRANSPOSED,
    "conv_transpose2d": _TRANSPOSED,
    "conv_transpose3d": _TRANSPOSED,
    "max_pool2d": (*_WINDOW, "dilation", "ceil_mode"),
    "avg_pool2d": (*_WINDOW, "ceil_mode", "count_include_pad"),
    "linear": ("input", "weight", "bias"),
    "flatten": ("input", "start_dim", "end_dim"),
    "transpose": ("input", "dim0", "dim1"),
    "mean": ("input", "dim", "keepdim"),
    "sum": ("input", "dim", "keepdim"),
    "amax": ("input", "dim", "keepdim"),
    "softmax": ("input", "dim"),
    "log_softmax": ("input", "dim"),
    "cat": ("tensors", "dim"),
    "chunk": ("input", "chunks", "dim"),
    "split": ("input", "split_size", "dim"),
    "unsqueeze": ("input", "dim"),
    "squeeze": ("input", "dim"),
    "pad": ("input", "pad", "mode", "value"),
    "getitem": ("input", "index"),
    "view": ("input", "*shape"),
    "reshape": ("input", "*shape"),
    "permute": ("input", "*dims"),
}
"""What torch calls the arguments of its functions that have no Python signature; the last may be
any number of them."""


def _by_name(kind: str, args: tuple[Any, ...]) -> dict[str, Any]:
    names = _ARGUMENTS.get(kind, ())
    if names and names[-1].startswith("*") and len(args) >= len(names):
        rest = args[len(names) - 1 :]
        return {**_by_name(kind, args[: len(names) - 1]), names[-1][1:]: _unpacked(rest)}
    return {
        names[place] if place < len(names) else str(place): value
        for place, value in enumerate(args)
    }


def _unpacked(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """`view(2, 3)` and `view((2, 3))` mean the same."""
    if len(values) == 1 and isinstance(values[0], list | tuple):
        return tuple(cast("Sequence[Any]", values[0]))
    return values


_SPELLINGS = {
    "iadd": "add",
    "radd": "add",
    "imul": "mul",
    "rmul": "mul",
    "isub": "sub",
    "truediv": "div",
    "itruediv": "div",
    "concat": "cat",
    "concatenate": "cat",
}


def _tensors(values: object) -> Iterator[Tensor]:
    """Every tensor in values, however deep in lists, tuples and dicts."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, Mapping):
        yield from _tensors(list(cast("Mapping[str, object]", values).values()))
    elif isinstance(values, list | tuple):
        for value in cast("Sequence[object]", values):
            yield from _tensors(value)


def _plain(value: object) -> object:
    """An argument without its tensors, which would be kept alive."""
    if isinstance(value, Tensor):
        return Shape(value.shape)
    if _first_tensor(value) is not None:
        return [_plain(item) for item in cast("Sequence[object]", value)]
    return value


def _first_tensor(answer: object) -> Tensor | None:
    return next(_tensors(answer), None)

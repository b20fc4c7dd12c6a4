"""One run of a network for the shapes of all results: on the meta device, or for real."""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from convscope.errors import RequestError
from convscope.forward import first_line, where_raised
from convscope.inference import inference_mode
from convscope.recording import Operation, run_once
from convscope.recording.wrappers import modules_by_path
from convscope.summaries.copying import copy_to
from convscope.summaries.empty_batch import EmptyBatch
from convscope.summaries.image import Shape
from convscope.summaries.reads import tensors_read


@dataclass(frozen=True)
class Network:
    """A network to run.

    Attributes:
        name: what it is called.
        on_meta: the network on the meta device; None where it cannot be there.
        real: returns the network with values in memory: a new one, or one that stays as it is.
        reason: why it cannot be on the meta device.
        is_without_values: whether the network itself is on the meta device and has no values.
    """

    name: str
    on_meta: nn.Module | None
    real: Callable[[], nn.Module]
    reason: str = ""
    is_without_values: bool = False


@dataclass(frozen=True)
class Shapes:
    """What one run showed.

    Attributes:
        image: the shape of the image, without the batch axis.
        operations: all operations of the pass.
        parameters: the number of elements of each parameter.
        complex_results: names of the operations that returned complex numbers.
        unrecorded: names of parameters that were read, but by no recorded operation.
        note: a sentence on how the network was run; empty if on the meta device.
    """

    image: Shape
    operations: Sequence[Operation]
    parameters: Mapping[str, int]
    complex_results: Collection[str]
    unrecorded: Collection[str]
    note: str = ""


def network_of(net: nn.Module, name: str) -> Network:
    """A user's own network, of which copies run. Raises RequestError if it takes no image alone."""
    _check_forward(net, name)

    def real() -> nn.Module:
        with suppress(Exception):
            return copy_to(net, "cpu")
        return net

    is_without_values = any(value.is_meta for value in net.parameters())
    try:
        return Network(name, copy_to(net, "meta"), real, is_without_values=is_without_values)
    except Exception as error:  # noqa: BLE001 -- a user's module may raise anything
        return Network(name, None, real, first_line(error))


def run_for_shapes(network: Network, shapes: Sequence[Shape], data: Tensor | None = None) -> Shapes:
    """Run a network in eval mode on an image of the first of `shapes` that it takes.

    The shapes have no batch axis. `data` is the image itself, if it is known. A network that cannot
    run on the meta device, or has lazy layers, runs for real on the CPU, on noise.

    Raises RequestError if it takes none of them, with the reason for the first.
    """
    reasons: dict[Shape, str] = {}
    net = network.on_meta
    if net is not None and not _has_lazy_layers(net):
        for shape, dtype in product(shapes, _dtypes(net)):
            try:
                return _run(net, _image(shape, data, dtype, device="meta"))
            except Exception as error:  # noqa: BLE001 -- a user's module may raise anything
                reasons.setdefault(shape, first_line(error))
    failure: Exception | None = None
    where = ""
    for shape in shapes[:0] if network.is_without_values else shapes:
        net = network.real()
        note = _LAZY if _has_lazy_layers(net) else _ON_CPU
        for dtype in _dtypes(net):
            try:
                shown = _run(net, _image(shape, data, dtype, device="cpu"))
            except Exception as error:  # noqa: BLE001 -- a user's module may raise anything
                where = where or where_raised(error, net)
                failure = failure or error
            else:
                reason = reasons.get(shape) or network.reason
                return replace(shown, note=note.format(name=network.name, reason=reason))
    size = "x".join(map(str, (*shapes[0][1:], *shapes[0][:1])))
    reason = first_line(failure) if failure else reasons.get(shapes[0], network.reason)
    failed = f": it failed{where}" if where else ""
    raise RequestError(
        f"{network.name} cannot take an image of {size}{failed} ({reason}). Choose another "
        "with `input_size` and `in_channels`."
    ) from failure


_ON_CPU = (
    "{name} ran for real on the CPU: it cannot run on the meta device, which has shapes but no "
    "values ({reason})."
)
_LAZY = "The lazy layers of {name} took their shapes from an image of this size."


def _run(net: nn.Module, image: Tensor) -> Shapes:
    """Record one pass. Results are kept for their types, which costs no memory on `meta`."""
    with inference_mode(net), EmptyBatch():
        if _has_lazy_layers(net):
            with torch.inference_mode(mode=False), torch.no_grad():
                net(image)
        recorded = run_once(net, image, should_keep=lambda module, kind: True)
        parameters = _parameters(net)
        seen = {name for operation in recorded.operations for name in operation.parameters}
        unseen = {n: p for n, p in parameters.items() if n not in seen and not is_lazy(p)}
        unrecorded = tensors_read(net, image, unseen) if unseen else ()
    return Shapes(
        image=tuple(image.shape[1:]),
        operations=recorded.operations,
        parameters={
            name: 0 if is_lazy(parameter) else parameter.numel()
            for name, parameter in parameters.items()
        },
        complex_results={n for n, result in recorded.results.items() if result.is_complex()},
        unrecorded=unrecorded,
    )


def _parameters(net: nn.Module) -> dict[str, nn.Parameter]:
    """Every parameter once, by the name that recording gives it, without those of wrappers."""
    names = {
        parameter: f"{path}.{name}" if path else name
        for path, module in reversed(modules_by_path(net).items())
        for name, parameter in module.named_parameters(recurse=False)
    }
    return {name: parameter for parameter, name in reversed(names.items())}


def _image(shape: Shape, data: Tensor | None, dtype: torch.dtype, *, device: str) -> Tensor:
    """The image with a batch axis; numbers have the type of the network's, integers their own."""
    if data is None and device == "meta":
        return torch.zeros(1, *shape, dtype=dtype, device=device)
    if data is None:
        noise = torch.Generator().manual_seed(0)
        return torch.randn(1, *shape, dtype=dtype, generator=noise)
    has_fractions = data.is_floating_point() or data.is_complex()
    return data.detach().to(device, dtype if has_fractions else data.dtype, copy=True)


def _dtypes(net: nn.Module) -> list[torch.dtype]:
    """The types that the image may have: that of the network's parameters; if complex, real too."""
    types = (value.dtype for value in net.parameters() if not is_lazy(value))
    dtype = next((t for t in types if t.is_floating_point or t.is_complex), torch.float32)
    return [dtype, dtype.to_real()] if dtype.is_complex else [dtype]


def _has_lazy_layers(net: nn.Module) -> bool:
    return any(map(is_lazy, (*net.parameters(), *net.buffers())))


def _check_forward(net: nn.Module, name: str) -> None:
    """Raise RequestError if `forward` is missing, or takes more than the image."""
    if inspect.getattr_static(net, "forward", None) is nn.Module.forward:
        raise RequestError(f"{name} has no forward, so it cannot run. Give a network that has one.")
    with suppress(TypeError, ValueError, AttributeError):  # a signature that Python does not know
        needed = [
            parameter.name
            for parameter in inspect.signature(net.forward).parameters.values()
            if parameter.default is parameter.empty and parameter.kind not in _VARIABLE
        ]
        if len(needed) > 1:
            raise RequestError(
                f"The forward of {name} takes {len(needed)} inputs ({', '.join(needed)}), and a "
                "summary is of a network that takes one image. Wrap it in a module whose forward "
                "takes the image alone."
            )


_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

"""Guided backpropagation and deconvolution: a gradient with other rules for ReLU.

References: Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, 2014,
https://arxiv.org/abs/1311.2901, section 2.1 (deconvolution); Springenberg et al., Striving for
Simplicity, 2015, https://arxiv.org/abs/1412.6806, section 3.4 (guided).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from convscope.recording.signatures import kind_of


class ModifiedReLU(TorchFunctionMode):
    """While it is entered, every ReLU that runs has another gradient, whatever it is written as:
    module, function or method, in place or not, in an exported program.

    Guided, it lets through what is positive, and only where the unit was active; else (deconvnet)
    what is positive, wherever it goes. Where max pooling sends it is the same as for a gradient.

    Attributes:
        replaced: how many ReLUs ran.
        others: other activations that ran, by kind; their gradient is the plain one.
    """

    def __init__(self, *, guided: bool) -> None:
        super().__init__()
        self.replaced = 0
        self.others: Counter[str] = Counter()
        self._guided = guided

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        kind = kind_of(func, args, kwargs)
        if kind in _CURVES:
            self.others[kind] += 1
        if not _is_relu(kind, args, kwargs):
            return func(*args, **kwargs)
        self.replaced += 1
        source: Tensor = args[0] if args else kwargs["input"]
        ceiling = 6.0 if kind == "relu6" else None
        apply = cast("Callable[..., Tensor]", _ModifiedReLU.apply)
        result = apply(source, self._guided, ceiling)
        if not _is_in_place(func, kwargs, args):
            return result
        return source.copy_(result)


class _ModifiedReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, source: Tensor, guided: bool, ceiling: float | None) -> Tensor:  # noqa: FBT001
        ctx.guided = guided
        result = torch.clamp(source, min=0.0, max=ceiling)
        ctx.save_for_backward((source > 0) & (result == source))
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (active,) = ctx.saved_tensors
        positive = gradients[0].clamp_min(0)
        return (positive * active if ctx.guided else positive), None, None


def _is_relu(kind: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    if kind in ("relu", "relu6"):
        return True
    low = kwargs.get("min", args[1] if len(args) > 1 else None)
    high = kwargs.get("max", args[2] if len(args) > 2 else None)
    return (
        kind in ("clamp", "clamp_min") and isinstance(low, int | float) and (low, high) == (0, None)
    )


def _is_in_place(
    func: Callable[..., Any], kwargs: Mapping[str, Any], args: tuple[Any, ...]
) -> bool:
    name = str(getattr(func, "__name__", func)).split(".")[0]
    flag = kwargs.get("inplace", args[1] if len(args) > 1 and isinstance(args[1], bool) else False)
    return bool(flag) or (name.endswith("_") and not name.endswith("__"))


_CURVES = frozenset(
    {
        *("leaky_relu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardtanh"),
        *("hardswish", "hardsigmoid", "tanh", "softplus", "softsign", "ScaledTanh"),
    }
)

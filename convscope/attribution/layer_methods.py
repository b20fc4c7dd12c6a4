"""Maps of a layer, weighed: Grad-CAM and its kin, and CAM."""

from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from convscope.attribution.layer_choice import Grid, default_layer, find_layer, grids
from convscope.attribution.raw_map import RawMap, as_values, strongest_channels
from convscope.attribution.shares import divide, gradient_flow, plain_gradient
from convscope.attribution.steps import Tape
from convscope.attribution.subject import Subject
from convscope.attribution.zero_maps import dead_layer, negative_everywhere
from convscope.errors import RequestError
from convscope.recording import IMAGE


def chosen_layer(subject: Subject, layer: str | None) -> str:
    return default_layer(subject.tape) if layer is None else find_layer(subject.tape, layer)


def grad_cam(subject: Subject, layer: str | None) -> RawMap:
    """ReLU of the maps' sum, each weighed with its mean gradient.

    Reference: Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391, equations 1 and 2.
    """
    name, maps, gradient = _gradient(subject, layer)
    weights = gradient.mean((2, 3), keepdim=True)
    return _rectified(subject, name, weights * maps, maps, gradient)


def grad_cam_plus_plus(subject: Subject, layer: str | None) -> RawMap:
    """As Grad-CAM, with weights that count positive gradients, more so where few units are active.

    w = Σ α · ReLU(g), α = g² / (2 g² + ΣA · g³), with the exponential of the score as its measure.

    Reference: Chattopadhyay et al., 2018, https://arxiv.org/abs/1710.11063, equations 18 and 19.
    """
    name, maps, gradient = _gradient(subject, layer)
    square = gradient.square()
    divisor = 2 * square + maps.sum((2, 3), keepdim=True) * square * gradient
    alpha = torch.where(divisor != 0, square / torch.where(divisor != 0, divisor, 1), 0)
    weights = (alpha * gradient.clamp_min(0)).sum((2, 3), keepdim=True)
    return _rectified(subject, name, weights * maps, maps, gradient)


def layer_cam(subject: Subject, layer: str | None) -> RawMap:
    """ReLU of the maps' sum, each unit weighed with its own gradient where that is positive.

    Reference: Jiang et al., LayerCAM, 2021, https://doi.org/10.1109/TIP.2021.3089943, equation 6.
    """
    name, maps, gradient = _gradient(subject, layer)
    return _rectified(subject, name, gradient.clamp_min(0) * maps, maps, gradient)


def hires_cam(subject: Subject, layer: str | None) -> RawMap:
    """The sum of gradient times activation over the maps: what each cell adds to the score.

    With the biases behind the layer it adds up to the score if the way to the output is piecewise
    linear.

    Reference: Draelos & Carin, 2020, https://arxiv.org/abs/2011.08891, equation 5.
    """
    name = chosen_layer(subject, layer)
    gradient, flow = gradient_flow(subject, name)
    maps = subject.tape.values[name]
    parts = gradient * maps
    total = parts.sum(1)[0]
    reason = "" if total.any() else dead_layer(subject, name, maps, gradient)
    return RawMap(
        as_values(total),
        name,
        grids_of(subject, name),
        shares=divide(subject, name, gradient, flow),
        reason=reason,
        channels=strongest_channels(parts),
    )


def cam(subject: Subject, layer: str | None) -> RawMap:
    """The maps before a global average, weighed with the last layer's weights of the class.

    The mean of the map, with the bias, is the score: the map is not divided by the number of cells.

    Reference: Zhou et al., 2016, https://arxiv.org/abs/1512.04150, equation 2.
    """
    tape = subject.tape
    name = chosen_layer(subject, layer)
    weights = _last_weights(tape, name)
    seed = subject.target.seed((len(subject.card.classes),), weights).reshape(1, -1)
    maps = tape.values[name]
    total = torch.einsum("k,khw->hw", (seed @ weights)[0], maps[0])
    reason = "" if total.any() else dead_layer(subject, name, maps, weights)
    channels = strongest_channels((seed @ weights)[..., None, None] * maps)
    return RawMap(as_values(total), name, grids_of(subject, name), reason=reason, channels=channels)


def _last_weights(tape: Tape, name: str) -> Tensor:
    """The weights (classes, channels) between the average of a layer's maps and the logits.

    Raises RequestError where the network does not end in that.
    """
    end = tape.logits()
    ways = [tape.step(each) for each in tape.between(name, end)]
    averages = [step for step in ways if _is_global_average(step.kind, step.output.shape)]
    rest = [step for step in ways if step not in averages and step.kind not in _COPIES]
    is_average = len(averages) == 1
    if is_average and not rest:
        return torch.eye(tape.values[name].shape[1], dtype=tape.values[name].dtype)
    if is_average and len(rest) == 1 and rest[0].operation.name in {end, ways[-1].operation.name}:
        (last,) = rest
        weight = last.argument("weight")
        is_after = ways.index(averages[0]) < ways.index(last)
        if is_after and last.kind in ("linear", "conv2d") and weight.shape[2:].numel() == 1:
            return weight.detach().flatten(1)
    between = ", ".join(f"{step.operation.name} ({step.kind})" for step in ways[:4])
    more = ", ..." if len(ways) > 4 else ""
    raise RequestError(
        f"CAM is for networks that end in a global average and one linear layer; behind {name} "
        f"this one has {between}{more}. Grad-CAM and hires-cam take any."
    )


def _is_global_average(kind: str, shape: torch.Size) -> bool:
    is_average = kind in ("adaptive_avg_pool2d", "avg_pool2d", "mean")
    return is_average and shape[2:].numel() == 1


_COPIES = ("flatten", "view", "reshape", "squeeze", "dropout", "dropout2d", "contiguous", "getitem")


def _gradient(subject: Subject, layer: str | None) -> tuple[str, Tensor, Tensor]:
    name = chosen_layer(subject, layer)
    return name, subject.tape.values[name], plain_gradient(subject, name)


_GRIDS: WeakKeyDictionary[nn.Module, dict[object, tuple[Grid, Grid]]] = WeakKeyDictionary()


def grids_of(subject: Subject, name: str) -> tuple[Grid, Grid]:
    """Where the cells of a layer lie; kept for the next image on which the same operations run."""
    ways = [subject.tape.operations[each] for each in subject.tape.between(IMAGE, name)]
    key = tuple((operation.name, operation.kind, operation.shape) for operation in ways)
    known = _GRIDS.setdefault(subject.net, {})
    if key not in known:
        known[key] = grids(subject.tape, name)
    return known[key]


def _rectified(
    subject: Subject, name: str, parts: Tensor, maps: Tensor, gradient: Tensor
) -> RawMap:
    """The sum of the parts (1, c, h, w) of the channels, where it is positive."""
    total, reason = parts.sum(1)[0], ""
    if not (total > 0).any():
        is_negative = bool(total.any())
        dead = "" if is_negative else dead_layer(subject, name, maps, gradient)
        reason = dead or negative_everywhere(total, name)
    return RawMap(
        as_values(total.clamp_min(0)),
        name,
        grids_of(subject, name),
        reason=reason,
        channels=strongest_channels(parts),
    )

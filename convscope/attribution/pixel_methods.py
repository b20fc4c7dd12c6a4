"""Maps of the image's own pixels: gradients, their kin, and relevance."""

from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
import torch
from torch import Tensor

from convscope.attribution.backward import send_back
from convscope.attribution.guided import ModifiedReLU
from convscope.attribution.raw_map import RawMap, Shares, as_values
from convscope.attribution.relevance import LrpRule, RelevanceRules
from convscope.attribution.shares import BIASES, divide, gradient_flow
from convscope.attribution.subject import Subject
from convscope.attribution.zero_maps import no_gradient
from convscope.errors import RequestError
from convscope.recording import IMAGE


def saliency(subject: Subject) -> RawMap:
    """The largest absolute gradient among a pixel's channels.

    Reference: Simonyan, Vedaldi & Zisserman, 2013, https://arxiv.org/abs/1312.6034, section 3.1.
    """
    _, gradient = subject.gradients(subject.image)
    values = gradient.abs().amax(1)[0]
    return RawMap(as_values(values), reason="" if values.any() else no_gradient(subject))


def gradient_x_input(subject: Subject) -> RawMap:
    """Gradient times input, summed over the channels: what each pixel adds to the score.

    With the biases it adds up to the score if the network is piecewise linear. The network's input
    is 0 for a pixel of the card's mean.

    Reference: Shrikumar et al., 2016, https://arxiv.org/abs/1605.01713; the biases as in
    `gradient_rule`.
    """
    gradient, flow = gradient_flow(subject, IMAGE)
    values = (gradient * subject.tape.values[IMAGE]).sum(1)[0]
    reason = "" if values.any() else no_gradient(subject)
    shares = divide(subject, IMAGE, gradient, flow)
    return RawMap(as_values(values), shares=shares, reason=reason)


def integrated_gradients(subject: Subject, baseline: Tensor, steps: int) -> RawMap:
    """The gradients along the line from a baseline to the image, averaged, times the difference.

    They add up to the score less the baseline's, up to the error of `steps` points of
    Gauss-Legendre quadrature.

    Reference: Sundararajan, Taly & Yan, 2017, https://arxiv.org/abs/1703.01365, equation 1.
    """
    points, weights = np.polynomial.legendre.leggauss(steps)
    like = subject.image
    at = torch.as_tensor((points + 1) / 2, dtype=like.dtype, device=like.device)
    weight = torch.as_tensor(weights / 2, dtype=like.dtype, device=like.device)
    difference = like - baseline
    total = torch.zeros_like(like)
    per_batch = max(1, 2**21 // like.numel())
    for start in range(0, steps, per_batch):
        chosen = at[start : start + per_batch].reshape(-1, 1, 1, 1)
        _, gradients = subject.gradients(baseline + chosen * difference)
        total += torch.einsum("n,nchw->chw", weight[start : start + per_batch], gradients)
    values = (total * difference).sum(1)[0]
    both = subject.target.score(subject.logits(torch.cat([baseline, like])))
    ends = cast("list[float]", both.double().tolist())
    shares = Shares(
        ends[1], float(values.double().sum()), {"the baseline": ends[0]}, is_exact=False
    )
    reason = "" if values.any() else "Every gradient between the baseline and the image is 0."
    return RawMap(as_values(values), shares=shares, reason=reason)


def guided_backpropagation(subject: Subject) -> RawMap:
    """See `guided`; the largest absolute value among a pixel's channels."""
    return _with_other_relus(subject, guided=True)


def deconvolution(subject: Subject) -> RawMap:
    """See `guided`; the largest absolute value among a pixel's channels."""
    return _with_other_relus(subject, guided=False)


def _with_other_relus(subject: Subject, *, guided: bool) -> RawMap:
    name = "Guided backpropagation" if guided else "Deconvolution"
    with ModifiedReLU(guided=guided) as mode:
        _, gradient = subject.gradients(subject.image)
    if not mode.replaced:
        others = ", ".join(mode.others)
        found = f" (its activations: {others})" if others else ""
        raise RequestError(
            f"{name} changes the gradient of ReLUs, and none ran in this network{found}. "
            "integrated-gradients and occlusion take any network."
        )
    notes = [f"{mode.replaced} ReLUs got the gradient of this method."]
    if mode.others:
        kept = ", ".join(f"{count} {kind}" for kind, count in mode.others.items())
        notes.append(f"Kept their plain gradient: {kept}.")
    if not guided:
        notes.append(
            "Weights and max pooling decide where its signal goes, not which ReLUs were active."
        )
    values = gradient.abs().amax(1)[0]
    reason = ""
    if not values.any():
        reason = "Every path back to the image has a ReLU that lets nothing positive through."
    return RawMap(as_values(values), notes=notes, reason=reason)


def relevance(subject: Subject, rule: LrpRule) -> RawMap:
    """See `relevance.RelevanceRules`; summed over the channels.

    The relevance of the pixels, of biases, and what found no positive term add up to the score.
    """
    tape = subject.tape
    end = tape.logits()
    like = tape.values[end]
    seed = subject.target.seed(like.shape, like) * like
    rules = RelevanceRules(tape, rule)
    flow = send_back(tape, seed, start=IMAGE, end=end, rule=rules, loss=lost_relevance)
    found = flow.received.get(IMAGE, torch.zeros_like(tape.values[IMAGE]))
    biases = sum(lost for name, lost in flow.lost.items() if rules.loses_to_bias(tape.step(name)))
    others = {BIASES: biases, "terms that are not positive": sum(flow.lost.values()) - biases}
    if rule == "epsilon":
        others = {BIASES: biases}
    shares = Shares(float(seed.double().sum()), float(found.double().sum()), others, is_exact=True)
    reason = (
        ""
        if found.any()
        else "No relevance reaches the image: the score is 0, or no term is positive."
    )
    return RawMap(as_values(found.sum(1)[0]), shares=shares, reason=reason)


def lost_relevance(_step: object, relevance: Tensor, parts: Mapping[str, Tensor]) -> float:
    """What a result has more than its operands get."""
    given = sum(float(part.sum(dtype=torch.float64)) for part in parts.values())
    return float(relevance.sum(dtype=torch.float64)) - given


PixelMethod = Callable[[Subject], RawMap]

"""The same network of another library, with the same weights."""

from unittest import mock

import torch
from torch import nn

from convscope.zoo.parameter_names import rename_parameter


def renamed(theirs, names):
    """The state of their network by our names."""
    return {rename_parameter(key, names): value for key, value in theirs.state_dict().items()}


def shapes(state):
    return {key: tuple(value.shape) for key, value in state.items()}


def both_answer(net, theirs, names, images, *, calibrated=False):
    """The logits of two networks in eval mode, ours with their weights, none as it begins.

    With `calibrated`, batch norm has the statistics of the images: those of depthwise filters as
    they begin are so small that the logits of all images would be equal.
    """
    torch.manual_seed(0)
    for key, value in theirs.state_dict().items():
        if key.endswith(("bias", "running_mean")):
            value.normal_(std=0.1)
        if key.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    if calibrated:
        calibrate(theirs, images)
    net.load_state_dict(renamed(theirs, names))
    with torch.inference_mode():
        return net.eval()(images), theirs.eval()(images)


def calibrate(net, images):
    """Give batch norm the statistics of these images."""
    norms = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm2d)]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        net.train()(images)
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum


def torchvision_on_meta(name, **arguments):
    """A network of torchvision's without a number in memory; RegNet computes its widths first."""
    from torchvision.models import get_model, regnet  # noqa: PLC0415 -- which may be missing

    compute = regnet.BlockParams.from_init_params

    def computed(**parameters):
        with torch.device("cpu"):
            return compute(**parameters)

    with (
        mock.patch.object(regnet.BlockParams, "from_init_params", computed),
        torch.device("meta"),
    ):
        return get_model(name, **arguments)

"""The same network of another library, with the same weights."""

import torch

from convscope.zoo.parameter_names import rename_parameter


def renamed(theirs, names):
    """The state of their network by our names."""
    return {rename_parameter(key, names): value for key, value in theirs.state_dict().items()}


def shapes(state):
    return {key: tuple(value.shape) for key, value in state.items()}


def both_answer(net, theirs, names, images):
    """The logits of two networks in eval mode, ours with their weights, none as it begins."""
    torch.manual_seed(0)
    for key, value in theirs.state_dict().items():
        if key.endswith(("bias", "running_mean")):
            value.normal_(std=0.1)
        if key.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    net.load_state_dict(renamed(theirs, names))
    with torch.inference_mode():
        return net.eval()(images), theirs.eval()(images)

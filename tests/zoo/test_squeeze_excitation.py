"""Squeeze and excitation against a loop over maps."""

import torch
from torch import nn

from convscope.zoo.squeeze_excitation import SqueezeExcitation


@torch.no_grad()
def test_each_map_is_multiplied_by_a_gate_of_the_means_of_all():
    torch.manual_seed(0)
    layer, x = SqueezeExcitation(6, 2), torch.randn(3, 6, 4, 5)
    reduce, expand = (getattr(layer, name).weight[:, :, 0, 0] for name in ("fc1", "fc2"))
    for image, scaled in zip(x, layer(x), strict=True):
        means = torch.stack([one_map.sum() / 20 for one_map in image])
        hidden = [
            max(0.0, float(row @ means + b)) for row, b in zip(reduce, layer.fc1.bias, strict=True)
        ]
        for channel in range(6):
            total = sum(w * h for w, h in zip(expand[channel].tolist(), hidden, strict=True))
            gate = 1 / (1 + torch.exp(-(total + layer.fc2.bias[channel])))
            torch.testing.assert_close(scaled[channel], gate * image[channel])


def test_activation_and_gate_may_be_others():
    layer = SqueezeExcitation(4, 2, activation=nn.SiLU, gate=nn.Hardsigmoid)
    x = torch.randn(1, 4, 3, 3)
    gate = nn.functional.hardsigmoid(
        layer.fc2(nn.functional.silu(layer.fc1(x.mean((2, 3), keepdim=True))))
    )
    torch.testing.assert_close(layer(x), x * gate)

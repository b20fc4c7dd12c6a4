"""Fields of networks with attention, windows and tokens: their gradients touch as much."""

import numpy as np
import pytest
import torch

from convscope import record
from tests.sweep.fields import gradients_of
from tests.sweep.networks import NETWORKS, build

pytestmark = pytest.mark.slow
NAMES = (
    *("swin_tiny_patch4_window7_224", "swinv2_cr_tiny_224", "test_maxvit", "coatnet_pico_rw_224"),
    *("vit_tiny_patch16_224", "cait_xxs24_224", "mvitv2_tiny", "sam2_hiera_tiny", "nest_tiny"),
    *("twins_svt_small", "pvt_v2_b0", "edgenext_xx_small", "efficientformerv2_s0", "levit_128s"),
)
UNITS = 20


def boxes(gradients):
    """The smallest box around what any of the gradients touches; None where none does."""
    pixels = torch.stack([gradient[0].abs().amax(0) > 0 for gradient in gradients]).any(0).nonzero()
    if not len(pixels):
        return None
    firsts, lasts = pixels.amin(0).tolist(), pixels.amax(0).tolist()
    return tuple((first, last + 1) for first, last in zip(firsts, lasts, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_units_of_a_network_see_what_their_gradient_touches(name):
    (row,) = (row for row in NETWORKS if row.name == f"timm:{name}")
    net, image = build(row, seed=0)
    net, random = net.double(), np.random.default_rng(0)
    for weight in net.parameters():
        if max(weight.shape, default=1) == weight.numel():  # scales, which begin near 0
            weight.data.uniform_(0.5, 1.5)
    images = [image.double(), torch.randn_like(image, dtype=torch.float64)]
    recordings = [record(net, one) for one in images]
    fields = recordings[0].fields
    assert all(one.exact for one in fields.by_operation.values())
    floating = [
        name
        for name in fields.by_operation
        if recordings[0][name].tensor.is_floating_point() and recordings[0][name].shape
    ]
    units = [
        (one, tuple(int(random.integers(side)) for side in recordings[0][one].shape))
        for one in random.permutation(floating)[:UNITS].tolist()
    ]
    found = zip(
        *(gradients_of(net, *pair, units) for pair in zip(images, recordings, strict=True)),
        strict=True,
    )
    compared = 0
    for each in found:
        (one, at), gradients = each[0][0], [gradient for _, gradient in each]
        touched = boxes([gradient for gradient in gradients if gradient is not None])
        if touched is not None:  # a unit that is 0 behind a ReLU has no gradient
            lead = recordings[0][one].tensor.ndim - len(at)
            assert fields.of(one, (*(0,) * lead, *at)).clipped == touched, (one, at)
            compared += 1
    assert compared > UNITS / 2

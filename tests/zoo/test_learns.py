"""Every network of the zoo learns one batch: its loss falls over twenty steps."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.layers import AUXILIARY_WEIGHT, ModelOutput
from convscope.zoo import ZOO, create_model
from tests.reference.families import each_network
from tests.repetition import sample_fast

LARGE = frozenset(  # some seconds of work and more; the others have one at least of each paper
    (
        *("alexnet_towers", "alexnet_2014", "vgg11", "vgg11_lrn", "vgg11_bn", "googlenet"),
        *("resnet50", "resnet110_stochastic_depth", "wrn16_8", "densenet121", "fractalnet20"),
        *("convnext_tiny", "yolo_classifier", "resnext50_32x4d"),
    )
)
CASES = each_network(ZOO, slow=LARGE)
CLASSES = 4
SIDE = 16  # of the images, where a network does not need more


def colors(channels, side):
    """Eight noisy images, two of each class, and what tells the classes apart is the color."""
    targets = torch.arange(8) % CLASSES
    of_class = 2 * torch.randn(CLASSES, channels, 1, 1)
    return of_class[targets] + 0.5 * torch.randn(8, channels, side, side), targets


@pytest.mark.parametrize("name", sample_fast(2, CASES))
def test_the_loss_falls_over_twenty_steps_on_one_batch(name):
    torch.manual_seed(0)
    side = max(ZOO[name].min_size, SIDE)
    images, targets = colors(ZOO[name].in_channels, side)
    net = create_model(name, num_classes=CLASSES, input_size=(side, side)).train()
    for layer in net.modules():  # the noise of dropout would drown what twenty steps do
        if isinstance(layer, nn.Dropout):
            layer.eval()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-4)
    losses = []
    for _ in range(20):
        answer = net(images)
        logits, auxiliary = answer if isinstance(answer, ModelOutput) else (answer, ())
        loss = F.cross_entropy(logits, targets)
        losses.append(loss.item())
        loss = loss + AUXILIARY_WEIGHT * sum(F.cross_entropy(more, targets) for more in auxiliary)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert min(losses[-8:]) < 0.9 * losses[0], losses

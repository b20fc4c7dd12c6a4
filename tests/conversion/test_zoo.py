"""Every network of the zoo answers, exported, as in PyTorch: in each engine, for any batch."""

import pytest
import torch

from convscope.conversion.network_graph import exportable, network_graph
from convscope.conversion.parity import BATCHES, RTOL, difference, outputs_of
from convscope.engines import ENGINES, is_installed, open_engine
from convscope.zoo import ZOO, create_model, default_input

pytest.importorskip("onnx")

QUICK = ("lenet5", "lenet5_1998", "resnet20_cifar", "squeezenet1_0", "alexnet_towers")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ZOO]
)
def test_it_answers_as_in_pytorch_in_every_engine(name):
    torch.manual_seed(0)
    net = exportable(create_model(name, num_classes=7))
    channels, size = default_input(name)
    graph = network_graph(net, (channels, *size), 7).SerializeToString()
    for engine in filter(is_installed, ENGINES):
        run = open_engine(engine, graph, threads=torch.get_num_threads())
        for batch in BATCHES:
            images = torch.randn(batch, channels, *size)
            expected = outputs_of(net, images, 7).numpy()
            assert difference(run(images.numpy()), expected) < RTOL, (engine, batch)

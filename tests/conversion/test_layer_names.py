"""Names of an exported graph: the layers', each once, whatever the layers are called."""

import pytest
import torch
from torch import nn

from convscope.conversion.network_graph import exportable, network_graph
from convscope.engines import open_engine

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


class Clashing(nn.Module):
    """Layers and weights that are called as the exporter calls its own values."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.relu = nn.ReLU(inplace=True)
        self.conv2d = nn.Conv2d(3, 4, 3)
        self.linear = nn.Conv2d(4, 4, 3)
        self.input = nn.Conv2d(4, 4, 1)
        self.logits = nn.Linear(64, 5)
        self.mul = nn.Parameter(torch.rand(5))
        self.add = nn.Parameter(torch.rand(5))

    def forward(self, x):
        x = self.relu(self.conv2d(x))
        x = self.relu(self.linear(x)) * 2 + 1
        x = self.relu(self.input(x))
        return self.logits(x.flatten(1)) * self.mul + self.add


def test_layers_that_are_called_as_operations_and_called_often():
    net = exportable(Clashing())
    model = network_graph(net, (3, 8, 8), 5)
    names = [name for node in model.graph.node for name in node.output]
    names += [weight.name for weight in model.graph.initializer]
    assert len(set(names)) == len(names)
    assert {"conv2d", "linear", "relu"} <= set(names)
    assert {"conv2d.weight", "linear.bias", "mul", "add"} <= set(names)
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == [
        "input",
        "logits",
    ]
    images = torch.randn(3, 3, 8, 8)
    found = open_engine("onnxruntime", model.SerializeToString(), threads=1)(images.numpy())
    assert found == pytest.approx(net(images).detach().numpy(), abs=1e-5)

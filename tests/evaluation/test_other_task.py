"""Labels of another kind than the network's, whose task is in its card and is no argument."""

import numpy as np
import pytest
from torch import nn

import convscope
from convscope.card import Card
from convscope.errors import RequestError

NAMES = ("ash", "elm", "oak")
PIXELS = np.zeros((3, 8, 8, 3), np.uint8)


def network(task):
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    net.card = Card(
        classes=NAMES, input_size=(8, 8), in_channels=3, resize_mode="crop", mean=(0.0,) * 3,
        std=(1.0,) * 3, task=task,
    )  # fmt: skip
    return net.eval()


def table(folder, text):
    path = folder / "labels.csv"
    path.write_text(text)
    return path


TWO_OF_ONE = "path,ash,elm,oak\na.png,1,1,0\nb.png,0,0,1\n"
CASES = [
    ("multi-label", lambda _: (PIXELS, [0, 1, 2]), "any number of labels, and .* one class for e"),
    ("single-label", lambda folder: table(folder, TWO_OF_ONE), "one class, .* not one 1 in each r"),
    ("single-label", lambda _: (PIXELS, [["ash"], ["elm", "oak"], ["oak"]]), "image 1 has 2 label"),
    ("single-label", lambda _: (PIXELS, np.eye(3)[[0, 1, 2]] + np.eye(3)[0]), "are not one-hot"),
]


@pytest.mark.parametrize(("task", "data", "reason"), CASES)
def test_the_network_is_named_and_no_task_is_asked_for(task, data, reason, tmp_path):
    with pytest.raises(RequestError, match=f"^Sequential gives .*{reason}") as raised:
        convscope.evaluate(network(task), data(tmp_path))
    assert "`task" not in str(raised.value)


@pytest.mark.parametrize(("task", "data", "_reason"), CASES)
def test_training_says_which_task_would_fit(task, data, _reason, tmp_path):
    with pytest.raises(RequestError, match="`task='multi-label'`"):
        convscope.train(data(tmp_path), task=task, out=tmp_path / "run")

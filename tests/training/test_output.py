"""What is said of a network of one's own that returns probabilities, and what is refused."""

import pytest
from torch import nn

from convscope.card import Card
from convscope.errors import RequestError
from convscope.training.callbacks.base import Callback, CallbackList
from convscope.training.output import with_output


class Notes(Callback):
    def __init__(self):
        self.notes = []

    def on_message(self, event):
        self.notes.append(event.text)


def noted(task, *last, **how):
    """The output of the card of a network that ends so, and what was said."""
    card = Card(
        classes=("cat", "dog", "owl"),
        input_size=(8, 8),
        in_channels=1,
        resize_mode="pad",
        mean=(0.0,),
        std=(1.0,),
        task=task,
        provenance={"network": "nets:Net"},
    )
    watcher = Notes()
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), *last)
    return with_output(card, net, CallbackList([watcher]), **how).output, watcher.notes


def test_a_sigmoid_over_several_labels_is_said_and_counts_as_probabilities():
    output, [note] = noted("multi-label", nn.Sigmoid())
    assert output == "probabilities"
    assert note.startswith("nets:Net ends in sigmoid: it returns probabilities, not logits.")
    assert "from 0.500 to 0.731" in note  # the sigmoid of 0 and of 1
    assert "remove the last sigmoid" in note


@pytest.mark.parametrize("task", ["single-label", "multi-label", "ordinal"])
def test_logits_are_not_mentioned(task):
    assert noted(task) == ("logits", [])


def test_what_cannot_be_trained_is_refused_with_a_remedy():
    with pytest.raises(RequestError, match=r"exclude each other.*remove the softmax"):
        noted("multi-label", nn.Softmax(1))
    with pytest.raises(RequestError, match=r"ends in sigmoid.*precision='float32'"):
        noted("multi-label", nn.Sigmoid(), precision="bf16")
